"""A training step: critics, then learners, then the exponential moving averages (EMA).

A step trains exactly the networks that a term names, with one backward for each distinct set of
them: `backward(inputs=...)` plays the part that `detach` plays elsewhere.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from core import processes
from core.recipe import Recipe
from core.theory.adversarial import Adversarial
from core.theory.contracts import Staged
from core.theory.passes import Batch, Networks, Passes, is_critic, is_for_training
from core.theory.terms import Match, Term
from core.training.checkpoint import Checkpoint
from core.training.device import seed_part
from core.training.memory import Parts
from core.training.optimisation import Optimisation
from core.training.pool import Pool

Batches = Callable[[int], Batch]
"""Draw number n -> batch: a function of n alone, so that a resumed run gets the same batches."""


@runtime_checkable
class Scheduled(Protocol):
    """Batches that depend on how much of the training's budget is used."""

    def __call__(self, number: int) -> Batch: ...

    def at(self, used: float) -> Batches:
        """Return the batches where this share of the budget, in [0, 1], is used."""
        ...


@dataclass
class TrainState:
    """State of a training, which a checkpoint holds: networks, optimizers, averages.

    `current`: the recipe whose late terms have joined, see `Recipe.at`. `historical_averaging`:
    weight of |weights - mean of the weights after each step so far|^2, a loss of every network
    that is trained (Salimans et al., NIPS 2016, section 3.3); those means are `history`. `pool`:
    size of the pool of earlier samples of each critic, 0 for none; `pools` are those, by the
    critic's name. `parts`: those of a batch that does not fit into memory; a checkpoint remembers
    their number as one of its facts, so that a resumed run adds up the same.
    """

    networks: Networks
    recipe: Recipe
    learner: Optimisation
    critic: Optimisation
    ema_decay: float = 0.0
    bf16: bool = False
    historical_averaging: float = 0.0
    pool: int = 0
    current: Recipe = field(init=False)
    optimizers: dict[str, torch.optim.Optimizer] = field(init=False)
    ema: Networks = field(init=False)
    history: Networks = field(init=False)
    pools: dict[str, Pool] = field(init=False)
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self.current = self.recipe
        self.optimizers = {
            name: self.settings(name).optimizer(network.parameters())
            for name, network in self.networks.items()
            if any(True for _ in network.parameters())
        }
        self.ema = self._copies(not is_for_training(name) for name in self.networks)
        self.history = self._copies(self.historical_averaging > 0 for _ in self.networks)
        self.parts = Parts(self.networks)
        pooled = self.recipe.critics if self.pool else ()
        self.pools = {term.critic_name: Pool(self.pool) for term in pooled}

    def _copies(self, chosen: Iterable[bool]) -> Networks:
        """Return frozen copies of the chosen networks, in evaluation mode."""
        pairs = zip(self.networks.items(), chosen, strict=True)
        chosen_ones = {name: network for (name, network), is_one in pairs if is_one}
        copied = copy.deepcopy(nn.ModuleDict(chosen_ones)).requires_grad_(False).eval()
        for network in copied.modules():
            if isinstance(network, nn.RNNBase):
                network.flatten_parameters()  # cuDNN reads them from one piece of memory
        return copied

    def settings(self, name: str) -> Optimisation:
        """Return the optimizer's settings for the network of this name."""
        return self.critic if is_critic(name) else self.learner

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    @property
    def critic_steps(self) -> int:
        """Critic updates for each learner update; 0 without critics."""
        return max((game(term).critic_steps for term in self.current.critics), default=0)

    def parameters(self, names: Iterable[str]) -> list[nn.Parameter]:
        """Return the parameters of these networks that a gradient trains."""
        return [p for name in names for p in self.networks[name].parameters() if p.requires_grad]

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the groups that a checkpoint stores."""
        return {
            "networks": self.networks.state_dict(),
            "ema": self.ema.state_dict(),
            **({"history": self.history.state_dict()} if self.historical_averaging else {}),
            **({"pools": {n: p.state() for n, p in self.pools.items()}} if self.pools else {}),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def facts(self) -> dict[str, float]:
        """Return what a checkpoint states beside the groups: the parts of a batch, if several."""
        return {"parts": self.parts.count} if self.parts.count > 1 else {}

    def restart(self, weights: Mapping[str, Tensor]) -> None:
        """Begin anew with these weights of the networks."""
        self.networks.load_state_dict(weights)
        self.__post_init__()

    def load(self, checkpoint: Checkpoint) -> None:
        """Load a stored `state`; `UserError` where its weights do not fit the networks."""
        if processes.count() == 1:
            self.parts.count = int(checkpoint.facts.get("parts", 1))
        checkpoint.fill(self.networks, "networks")
        checkpoint.fill(self.ema, "ema")
        if self.historical_averaging:
            checkpoint.fill(self.history, "history")
        pools = checkpoint.group("pools") if self.pools else {}
        for name, pool in self.pools.items():
            pool.load(pools[name], self.device)
        optimizers = checkpoint.group("optimizers")
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(optimizers[name])


def game(term: Match) -> Adversarial:
    """Return the adversarial game of a critic's term."""
    assert isinstance(term.by, Adversarial)
    return term.by


def step(
    state: TrainState, batches: Batches, number: int, seed: int, measured: bool = False
) -> dict[str, float]:
    """Update critics, learners and EMA; return the losses by name.

    All randomness is a function of `seed` and `number`, the step from 0, so that a resumed run
    equals an uninterrupted one to the bit. An update whose loss or gradient is not finite is
    skipped, and counted under `skipped`. `measured`: with the norm of each term's gradient on the
    decoder, see `gradient_norms`.
    """
    seed_part(seed, number, processes.number())
    _set_stages(state.networks, number)
    first = number * (state.critic_steps + 1)
    logged: dict[str, float] = {"skipped": 0.0}
    for draw in range(state.critic_steps):
        _merge(logged, critic_step(state, batches(first + draw)))
    _merge(logged, learner_step(state, batches(first + state.critic_steps), measured))
    update_ema(state, number)
    update_history(state, number)
    return logged


def _set_stages(networks: Networks, step: int) -> None:
    for network in networks.modules():
        if isinstance(network, Staged):
            network.set_stage(step)


def _facts(networks: Networks) -> dict[str, Tensor]:
    """Return the diagnostics that networks log beside the losses."""
    reported = {n: net.facts() for n, net in networks.items() if isinstance(net, Diagnosed)}
    return {f"{name}_{key}": value for name, one in reported.items() for key, value in one.items()}


@runtime_checkable
class Diagnosed(Protocol):
    """A network with diagnostics to log, such as the share of a codebook that is used."""

    def facts(self) -> dict[str, Tensor]: ...


def _merge(logged: dict[str, float], losses: dict[str, float]) -> None:
    skipped = logged["skipped"] + losses.pop("skipped")
    logged.update(losses, skipped=skipped)


def critic_step(state: TrainState, batch: Batch) -> dict[str, float]:
    """Update every critic once, on one batch; return the losses by name."""

    def gradients(part: Batch, share: float) -> dict[str, Tensor]:
        passes = state.current.passes(state.networks, part)
        losses: dict[str, Tensor] = {}
        for term in state.current.critics:
            critic = term.critic_name
            with _autocast(state):
                pool = state.pools.get(critic)
                by_part = game(term).critic_loss(passes, term.space, critic, pool)
            named = {f"{critic}_{name}": loss.mean() for name, loss in by_part.items()}
            total = share * sum(named.values(), torch.zeros(()))
            total.backward(inputs=state.parameters([critic]))
            losses.update(named)
        return losses

    def undo() -> None:
        for pool in state.pools.values():
            pool.settle(taken=False)

    critics = [term.critic_name for term in state.current.critics]
    losses = state.parts.add_up(batch, state.parameters(critics), gradients, undo)
    return _update(state, critics, losses, {})


def learner_step(state: TrainState, batch: Batch, measured: bool = False) -> dict[str, float]:
    """Update every network that a term trains once, on one batch; return the losses by name."""
    trained = sorted({name for term in state.current.terms for name in term.trains})
    norms: dict[str, Tensor] = {}

    def gradients(part: Batch, share: float) -> dict[str, Tensor]:
        passes = state.current.passes(state.networks, part)
        with _autocast(state):
            losses = {t.name: _mean(state, t, passes) for t in state.current.terms if t.weight}
            # terms of weight 0 are for the log alone: last, so that they draw no number of others
            unweighted = (t for t in state.current.terms if measured and not t.weight)
            losses |= {t.name: _mean(state, t, passes) for t in unweighted}
        if measured and state.parts.count == 1:
            norms.update(gradient_norms(state, losses, share))
        for names, loss in _by_trained(state.current, losses):
            inputs = state.parameters(names)
            if loss.requires_grad and inputs:  # not of a density that trains by EM
                (share * loss).backward(inputs=inputs, retain_graph=True)
        return losses

    losses = state.parts.add_up(batch, state.parameters(trained), gradients, norms.clear)
    return _update(state, trained, losses, norms | _facts(state.networks))


def _mean(state: TrainState, term: Term, passes: Passes) -> Tensor:
    return state.parts.mean(term.name, term(passes))


def gradient_norms(
    state: TrainState, losses: dict[str, Tensor], share: float = 1.0
) -> dict[str, Tensor]:
    """Compute the norm of each weighted term's gradient on the decoder's weights.

    Their ratios say which term decides what the decoder learns. One backward for each term; none
    where a single term trains the decoder, or it is frozen. `share`: that of the samples which
    the losses are of, the others being those of other processes.
    """
    terms = [t for t in state.current.terms if "decoder" in t.trains and t.weight]
    if len(terms) < 2:
        return {}
    weights = state.parameters(["decoder"])
    if not weights:
        return {}
    norms: dict[str, Tensor] = {}
    for term in terms:
        gradients = torch.autograd.grad(
            losses[term.name], weights, retain_graph=True, allow_unused=True
        )
        known = zip(gradients, weights, strict=True)
        flat = [(torch.zeros_like(w) if g is None else g).float().flatten() for g, w in known]
        norm = processes.total(share * torch.cat(flat)).norm()
        norms[f"gradient_{term.name}"] = term.weight * norm
    return norms


def _by_trained(
    recipe: Recipe, losses: dict[str, Tensor]
) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Yield each distinct set of trained networks with the weighted sum of its losses."""
    weighted: dict[tuple[str, ...], Tensor] = {}
    for term in recipe.terms:
        if term.weight:
            loss = term.weight * losses[term.name]
            weighted[term.trains] = weighted.get(term.trains, torch.zeros(())) + loss
    yield from weighted.items()


def _autocast(state: TrainState) -> torch.autocast:
    return torch.autocast(state.device.type, torch.bfloat16, enabled=state.bf16)


def _update(
    state: TrainState, names: list[str], losses: dict[str, Tensor], noted: dict[str, Tensor]
) -> dict[str, float]:
    """Clip gradients and step the optimizers if all is finite; return the losses as numbers.

    `noted`: what else is returned. A device is read once: each read waits until it has finished.
    """
    for name in names if state.historical_averaging else ():
        _add_history_gradient(state, name)
    norms = {name: _clip(state, name) for name in names if name in state.optimizers}
    pools = [state.pools[name] for name in names if name in state.pools]
    finite = torch.stack([*losses.values(), *norms.values()]).isfinite().all()
    sound = torch.stack([finite, *(pool.is_finite for pool in pools)]).all()
    numbers = torch.stack([sound, *losses.values(), *noted.values()]).detach().float()
    taken, *values = numbers.cpu().tolist()
    for name in norms if taken else ():
        state.optimizers[name].step()
    for term in state.current.critics if taken else ():
        if term.critic_name in names:
            _clamp(state, term)
    for pool in pools:
        pool.settle(bool(taken))
    return dict(zip([*losses, *noted], values, strict=True)) | {"skipped": 1.0 - taken}


def _add_history_gradient(state: TrainState, name: str) -> None:
    """Add to the gradients that of historical_averaging * |weights - their mean so far|^2."""
    means = state.history[name].parameters()
    for weight, mean in zip(state.networks[name].parameters(), means, strict=True):
        if weight.grad is not None:
            weight.grad.add_(weight.detach() - mean, alpha=2 * state.historical_averaging)


def _clip(state: TrainState, name: str) -> Tensor:
    """Clip a network's gradient to its `clip_norm`; return the norm before."""
    bound = state.settings(name).clip_norm or float("inf")
    norm = nn.utils.clip_grad_norm_(state.networks[name].parameters(), bound)
    return norm.to(state.device)  # without a gradient it is a 0 on the processor


def _clamp(state: TrainState, term: Match) -> None:
    bound = game(term).clip
    for parameter in state.parameters([term.critic_name]) if bound else ():
        parameter.data.clamp_(-bound, bound)


def ema_decay(state: TrainState, number: int) -> float:
    """Return the decay of the EMA after step n = `number`: min(ema_decay, (1 + n) / (10 + n)).

    The smaller decay of early steps keeps the initial weights from dominating a short run.
    """
    return min(state.ema_decay, (1 + number) / (10 + number))


@torch.no_grad()
def update_ema(state: TrainState, number: int) -> None:
    """Update ema <- decay * ema + (1 - decay) * weights; buffers are copied."""
    decay = ema_decay(state, number)
    for name, average in state.ema.items():
        network = state.networks[name]
        for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for copied, buffer in zip(average.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)


@torch.no_grad()
def update_history(state: TrainState, number: int) -> None:
    """Update the mean of the weights over time, the initial ones and those of each step.

    After step n = `number` it is of n + 2 equally weighted values.
    """
    for name, average in state.history.items():
        weights = state.networks[name].parameters()
        for mean, weight in zip(average.parameters(), weights, strict=True):
            mean.lerp_(weight, 1 / (number + 2))
