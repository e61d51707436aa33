"""The pool of earlier samples: what a critic sees in place of new ones, and what is kept."""

import math

import pytest
import torch
from torch import nn

from core.papers import Paper
from core.recipe import Recipe
from core.theory.adversarial import Adversarial, GradientPenalty, wasserstein
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks
from core.theory.terms import Match
from core.training.optimisation import Optimisation
from core.training.pool import Pool
from core.training.step import TrainState, critic_step, learner_step

PAPER = Paper("nobody2026", "Nobody", "None", "Nowhere", 2026)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]  # [batch 1]


def listed(part: torch.Tensor) -> list[float]:
    return part.flatten().tolist()  # [number]


class Scripted(Pool):
    """A pool whose random numbers are given: whether to exchange, and the place in the pool."""

    def exchange(self, chosen: list[bool], places: list[int], *values: float) -> list[float]:
        with pytest.MonkeyPatch.context() as patch:
            drawn = torch.tensor([0.4 if one else 0.6 for one in chosen])
            patch.setattr(torch, "rand", lambda count: drawn)
            patch.setattr(torch, "randint", lambda most, shape: torch.tensor(places))
            return listed(*self((numbers(*values),)))


def test_a_pool_of_two_by_hand():
    """A kept sample is returned once, and the new one takes its place."""
    pool = Scripted(2)
    assert pool.exchange([True], [0], 1) == [1]
    assert pool.exchange([True, True, False], [1, 0, 1], 2, 3, 4) == [2, 1, 4]
    assert listed(*pool.kept) == [3, 2]
    assert pool.exchange([True, True], [0, 0], 5, 6) == [3, 5]
    assert listed(*pool.kept) == [6, 2]
    assert pool.exchange([False, True], [0, 1], 7, 8) == [7, 2]
    assert listed(*pool.kept) == [6, 8]


def test_half_of_what_is_seen_is_from_before_once_the_pool_is_full():
    """Every sample is seen once or is still in the pool, so that none is lost."""
    torch.manual_seed(0)
    pool, size, batch, steps = Pool(50), 50, 4, 600
    seen = torch.stack(
        [pool((torch.arange(batch * n, batch * (n + 1)).float(),))[0] for n in range(steps)]
    )
    produced = torch.arange(batch * steps).view(steps, batch)  # [step batch]
    first = size // batch
    assert torch.equal(seen[:first], produced[:first].float())
    older = seen.long() < produced[:, :1]
    assert older[first + 1 :].float().mean().item() == pytest.approx(0.5, abs=0.05)
    times = torch.bincount(seen.long().flatten(), minlength=batch * steps)
    kept = set(pool.kept[0].long().tolist())
    assert len(kept) == size
    assert times[size:].max() == 1
    unseen = {int(n) for n in (times == 0).nonzero()}
    assert unseen <= kept
    assert kept - unseen <= set(range(size)), "those that filled the pool were seen, and stayed"
    assert times[:size].max() == 2, "those that filled the pool return once"


def test_a_kept_sample_waits_for_as_many_as_the_pool_holds_exchanges():
    """Waiting times are geometric: a place in 20 is drawn at each exchange, every other sample."""
    torch.manual_seed(1)
    pool, ages = Pool(20), []
    for n in range(8000):
        (seen,) = pool((numbers(n),))
        ages.append(n - seen.item())
    waited = [age for age in ages[2000:] if age > 0]
    assert sum(waited) / len(waited) == pytest.approx(2 * 20, rel=0.1)
    assert sum(age <= 20 * math.log(4) for age in waited) / len(waited) == pytest.approx(
        0.5, abs=0.05
    )  # half of them: (1 - 1/40)^27.7 = 0.496


def test_all_tensors_of_a_sample_stay_together():
    torch.manual_seed(2)
    pool, known = Pool(3), dict[int, torch.Tensor]()
    for n in range(40):
        x = torch.rand(2, 3, 2) + n
        c = torch.tensor([[2 * n], [2 * n + 1]])
        seen_x, seen_c = pool((x, c))
        known |= {2 * n: x[0], 2 * n + 1: x[1]}
        assert (seen_c.dtype, seen_c.shape, seen_x.shape) == (c.dtype, c.shape, x.shape)
        for one_x, one_c in zip(seen_x, seen_c, strict=True):
            assert torch.equal(one_x, known[int(one_c)])
    assert [len(part) for part in pool.kept] == [3, 3]


def test_what_arrives_for_a_step_that_is_skipped_is_not_kept():
    pool = Pool(2)
    for value in (math.nan, math.inf):
        pool((numbers(1, value),))
        assert not pool.is_finite
        pool.settle(taken=False)
        assert pool.kept == ()
    pool((numbers(2),))
    assert pool.is_finite
    pool.settle(taken=True)
    pool((numbers(3),))
    pool.settle(taken=False)
    assert listed(*pool.kept) == [2]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_update_is_skipped_where_the_pool_holds_back_what_is_not_finite(value: float):
    """The critic sees an earlier sample in its place, and its loss is finite."""
    state, critic = playing(pool=1)
    pool = state.pools["critic_x"]
    pool((numbers(7),))
    pool.settle(taken=True)
    torch.nn.init.constant_(state.networks["decoder"].get_parameter("value"), value)
    torch.manual_seed(0)  # the first exchange is drawn: 0.496 of 1
    logged = critic_step(state, Batch(torch.zeros(1, 1)))
    assert all(map(math.isfinite, logged.values()))
    assert logged["skipped"] == 1
    assert (critic.weight.item(), listed(*pool.kept)) == (2, [7])


def test_a_pool_is_loaded_as_it_was():
    torch.manual_seed(3)
    pool, other = Pool(4), Pool(4)
    for n in range(6):
        pool((numbers(n, n + 0.5), numbers(-n, -n)))
    other.load(pool.state(), torch.device("cpu"))
    for n in range(6):
        seen = []
        for one in (pool, other):
            torch.manual_seed(n)
            seen.append(one((numbers(50 + n), numbers(-n))))
        assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    empty = Pool(4)
    empty.load(Pool(4).state(), torch.device("cpu"))
    assert empty.kept == ()


class Constant(nn.Module):
    """A decoder that generates one number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([1.0]))

    def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> Delta:
        return Delta(self.value.expand(len(z), 1))


class Zero(nn.Module):
    def forward(self, batch: int, c: torch.Tensor | None = None) -> Delta:
        return Delta(torch.zeros(batch, 1))


class Slope(nn.Module):
    """A critic that scores 2 x and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0]))
        self.seen: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += listed(x.detach())
        return (self.weight * x).squeeze(1)


def playing(pool: int) -> tuple[TrainState, Slope]:
    """A game with a penalty: data at 0, generated samples at 1."""
    by = Adversarial(wasserstein, penalties=(GradientPenalty(1.0),))
    recipe = Recipe((Match("x", by, trains=("decoder",)),), PAPER)
    critic, rate = Slope(), Optimisation(learning_rate=1e-3)
    networks = Networks({"decoder": Constant(), "prior": Zero(), "critic_x": critic})
    return TrainState(networks, recipe, rate, rate, pool=pool), critic


def test_the_critic_alone_sees_what_the_pool_returns_in_its_game_and_its_penalties():
    state, critic = playing(pool=1)
    batch = Batch(torch.zeros(1, 1))
    assert state.pools == {"critic_x": Pool(1)}
    state.pools["critic_x"].kept = (numbers(7),)
    torch.manual_seed(0)  # the first exchange is drawn: 0.496 of 1
    critic_step(state, batch)
    real, fake, mixed = critic.seen
    assert (real, fake) == (0, 7)
    assert 1 < mixed < 7
    assert listed(*state.pools["critic_x"].kept) == [1]
    critic.seen.clear()
    learner_step(state, batch)
    assert critic.seen[:2] == [0, pytest.approx(1)]


def test_without_a_size_there_is_no_pool_and_none_in_a_checkpoint():
    state, _ = playing(pool=0)
    assert state.pools == {}
    assert "pools" not in state.state()
    pooled, _ = playing(pool=2)
    assert set(pooled.state()) - set(state.state()) == {"pools"}
    assert pooled.networks.state_dict().keys() == state.networks.state_dict().keys()
