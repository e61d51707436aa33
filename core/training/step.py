"""What is learned, and one step of it: networks, their optimizers, their averages.

A step trains exactly the networks that a term names, with one backward for each distinct set of
them: `backward(inputs=...)` plays the part that `detach` plays elsewhere.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict
from core.networks.generators import Growing
from core.recipes import Recipe
from core.theory.adversarial import Adversarial
from core.theory.passes import Batch, Networks, critic_of, is_critic
from core.theory.terms import Match
from core.training.checkpoint import Checkpoint

Batches = Callable[[int], Batch]
"""Draw n -> the batch of that draw: a function of n alone, so that a resumed run sees the same."""


class Optimisation(Strict):
    """Adam's settings for a group of networks; gradients are clipped to `clip_norm` unless 0."""

    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.9)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=0.0, ge=0)


@dataclass
class Learning:
    """The state of a training: everything that a checkpoint holds.

    `history`: weight of |weights - their average|^2, which every network then pays that is trained
    (Salimans et al., NIPS 2016, section 3.3); the critics' averages are then `past`.
    """

    networks: Networks
    recipe: Recipe
    learner: Optimisation
    critic: Optimisation
    average_decay: float = 0.0
    bf16: bool = False
    history: float = 0.0
    optimizers: dict[str, torch.optim.Optimizer] = field(init=False)
    averages: Networks = field(init=False)
    past: Networks = field(init=False)

    def __post_init__(self) -> None:
        self.optimizers = {
            name: _adamw(network, self.critic if is_critic(name) else self.learner)
            for name, network in self.networks.items()
            if any(True for _ in network.parameters())
        }
        self.averages = self._copies(not is_critic(name) for name in self.networks)
        self.past = self._copies(is_critic(n) and self.history > 0 for n in self.networks)

    def _copies(self, chosen: Iterable[bool]) -> Networks:
        """Copies of some networks, which do not learn."""
        pairs = zip(self.networks.items(), chosen, strict=True)
        copied = nn.ModuleDict({name: network for (name, network), is_one in pairs if is_one})
        return copy.deepcopy(copied).requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    @property
    def critic_steps(self) -> int:
        """Critic updates for one of the learners; 0 where no critic plays."""
        return max((game(term).critic_steps for term in self.recipe.critics), default=0)

    def parameters(self, names: Iterable[str]) -> list[nn.Parameter]:
        return [p for name in names for p in self.networks[name].parameters()]

    def state(self) -> dict[str, dict[str, Any]]:
        """Everything to be stored, by group."""
        return {
            "networks": self.networks.state_dict(),
            "averages": self.averages.state_dict(),
            **({"past": self.past.state_dict()} if self.history else {}),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Go back to a stored `state`; `UserError` where its weights do not fit the networks."""
        checkpoint.fill(self.networks, "networks")
        checkpoint.fill(self.averages, "averages")
        if self.history:
            checkpoint.fill(self.past, "past")
        optimizers = checkpoint.group("optimizers")
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(optimizers[name])


def game(term: Match) -> Adversarial:
    """The game that a term plays."""
    assert isinstance(term.by, Adversarial)
    return term.by


def _adamw(network: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )


def step(learning: Learning, batches: Batches, number: int, seed: int) -> dict[str, float]:
    """Critics, then learners, then averages; returns each loss by name.

    Step `number` (from 0) and `seed` decide all randomness, so that a resumed run repeats an
    unbroken one to the bit. A loss or gradient that is not finite leaves every weight unchanged
    for that update and is counted under `skipped`.
    """
    torch.manual_seed(seed * 1_000_003 + number)
    _grow(learning.networks, number)
    first = number * (learning.critic_steps + 1)
    logged: dict[str, float] = {"skipped": 0.0}
    for draw in range(learning.critic_steps):
        _merge(logged, critic_step(learning, batches(first + draw)))
    _merge(logged, learner_step(learning, batches(first + learning.critic_steps)))
    update_averages(learning, number)
    return logged | _facts(learning.networks)


def _grow(networks: Networks, steps: int) -> None:
    for network in networks.modules():
        if isinstance(network, Growing):
            network.grow(steps)


def _facts(networks: Networks) -> dict[str, float]:
    """What networks tell of themselves, beside the losses."""
    told = {n: network.facts() for n, network in networks.items() if isinstance(network, Telling)}
    return {f"{name}_{key}": value for name, facts in told.items() for key, value in facts.items()}


@runtime_checkable
class Telling(Protocol):
    """A network with facts to be logged."""

    def facts(self) -> dict[str, float]: ...


def _merge(logged: dict[str, float], losses: dict[str, float]) -> None:
    skipped = logged["skipped"] + losses.pop("skipped")
    logged.update(losses, skipped=skipped)


def critic_step(learning: Learning, batch: Batch) -> dict[str, float]:
    """One update of every critic on a batch."""
    passes = learning.recipe.passes(learning.networks, batch)
    losses: dict[str, Tensor] = {}
    for term in learning.recipe.critics:
        critic = critic_of(term.space)
        with _autocast(learning):
            parts = game(term).critic_loss(passes, term.space)
        named = {f"{critic}_{part}": loss.mean() for part, loss in parts.items()}
        _zero(learning.parameters([critic]))
        sum(named.values(), torch.zeros(())).backward(inputs=learning.parameters([critic]))
        losses.update(named)
    return _update(learning, [critic_of(t.space) for t in learning.recipe.critics], losses)


def learner_step(learning: Learning, batch: Batch) -> dict[str, float]:
    """One update of every network that a term trains."""
    passes = learning.recipe.passes(learning.networks, batch)
    with _autocast(learning):
        losses = {term.name: term(passes).mean() for term in learning.recipe.terms}
    trained = sorted({name for term in learning.recipe.terms for name in term.trains})
    _zero(learning.parameters(trained))
    for names, loss in _by_trained(learning.recipe, losses):
        loss.backward(inputs=learning.parameters(names), retain_graph=True)
    return _update(learning, trained, losses)


def _by_trained(
    recipe: Recipe, losses: dict[str, Tensor]
) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """The weighted sum of the losses for each distinct set of trained networks."""
    weighted: dict[tuple[str, ...], Tensor] = {}
    for term in recipe.terms:
        if term.weight:
            loss = term.weight * losses[term.name]
            weighted[term.trains] = weighted.get(term.trains, torch.zeros(())) + loss
    yield from weighted.items()


def _autocast(learning: Learning) -> torch.autocast:
    return torch.autocast(learning.device.type, torch.bfloat16, enabled=learning.bf16)


def _zero(parameters: list[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


def _update(learning: Learning, names: list[str], losses: dict[str, Tensor]) -> dict[str, float]:
    """Clip, check and take the optimizers' step; returns the losses as numbers."""
    for name in names if learning.history else ():
        _recall(learning, name)
    norms = {name: _clip(learning, name) for name in names if name in learning.optimizers}
    verdict = torch.stack([*losses.values(), *norms.values()]).detach().float().cpu()
    finite = bool(torch.isfinite(verdict).all())
    for name in norms if finite else ():
        learning.optimizers[name].step()
    for term in learning.recipe.critics if finite else ():
        _clamp(learning, term)
    values = dict(zip(losses, verdict.tolist(), strict=False))
    return values | {"skipped": 0.0 if finite else 1.0}


def _recall(learning: Learning, name: str) -> None:
    """Add the gradient of history * |weights - their average|^2."""
    means = (learning.past if is_critic(name) else learning.averages)[name].parameters()
    for weight, mean in zip(learning.networks[name].parameters(), means, strict=True):
        if weight.grad is not None:
            weight.grad.add_(weight.detach() - mean, alpha=2 * learning.history)


def _clip(learning: Learning, name: str) -> Tensor:
    """The norm of a network's gradient, after clipping it where its settings ask for that."""
    settings = learning.critic if is_critic(name) else learning.learner
    bound = settings.clip_norm or float("inf")
    return nn.utils.clip_grad_norm_(learning.networks[name].parameters(), bound)


def _clamp(learning: Learning, term: Match) -> None:
    bound = game(term).clip
    for parameter in learning.parameters([critic_of(term.space)]) if bound else ():
        parameter.data.clamp_(-bound, bound)


def average_decay(learning: Learning, number: int) -> float:
    """The decay of the averages after step `number`: at first they forget faster.

    (1 + n) / (10 + n) until that is more than the decay, so that a short run's averages are of
    what it learned and not of how it began.
    """
    return min(learning.average_decay, (1 + number) / (10 + number))


@torch.no_grad()
def update_averages(learning: Learning, number: int) -> None:
    """average <- decay * average + (1 - decay) * network; buffers are copied."""
    decay = average_decay(learning, number)
    for name, average in (*learning.averages.items(), *learning.past.items()):
        network = learning.networks[name]
        for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
