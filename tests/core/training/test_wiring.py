"""Settings, seeds, schedules and batches reach what they are for: each by numbers of one weight.

The first step of Adam is the learning rate against the sign of the gradient, and every further
one too as long as the gradient stays what it is.
"""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.networks.generators import ProgressiveGenerator
from core.papers import Paper
from core.recipe import Recipe
from core.theory.adversarial import Adversarial, wasserstein
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import Match, Term
from core.training.loop import Monitor, TrainConfig, train
from core.training.run import Run
from core.training.step import Optimisation, TrainState, critic_step, learner_step, step

PAPER = Paper("nobody2026", "Nobody", "None", "Nowhere", 2026)
SLOW, FAST = Optimisation(learning_rate=0.01), Optimisation(learning_rate=0.25)


class Constant(nn.Module):
    """A decoder that generates one number, 0.5 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([0.5]))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Delta:
        return Delta(self.value.expand(len(z), 1))


class Zero(nn.Module):
    def forward(self, batch: int, c: Tensor | None = None) -> Delta:
        return Delta(torch.zeros(batch, 1))


class Slope(nn.Module):
    """A critic that scores weight * x, with a weight of 2 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).squeeze(1)


class Pull:
    """A term whose gradient to the decoder's number is the mean of the batch."""

    name, trains, networks, weight = "pull", ("decoder",), ("decoder", "prior"), 1.0

    def __call__(self, passes: Passes) -> Tensor:
        return (passes.x * passes.generated_x).squeeze(1)


class Noise(Pull):
    """A term that keeps the random numbers that it draws."""

    def __init__(self) -> None:
        self.drawn: list[float] = []

    def __call__(self, passes: Passes) -> Tensor:
        self.drawn.append(torch.rand(()).item())
        return super().__call__(passes)


def state(
    *terms: Term, learner: Optimisation = FAST, critic: Optimisation = SLOW, ema_decay: float = 0.0
) -> TrainState:
    parts = Networks({"decoder": Constant(), "prior": Zero(), "critic_x": Slope()})
    return TrainState(parts, Recipe(terms, PAPER), learner, critic, ema_decay)


def game(critic_steps: int = 1, clip: float = 0.0) -> Match:
    by = Adversarial(wasserstein, critic_steps=critic_steps, clip=clip)
    return Match("x", by, trains=("decoder",))


def value(of: TrainState) -> float:
    return of.networks["decoder"].get_parameter("value").item()


def weight(of: TrainState) -> float:
    return of.networks["critic_x"].get_parameter("weight").item()


def around(mean: float) -> Batch:
    return Batch(torch.tensor([[mean - 1.0], [mean + 1.0]]))


def test_the_critic_and_the_learner_move_at_their_own_rates():
    """The critic's slope grows, as data lie above what is generated, and the learner follows."""
    learned = state(game())
    step(learned, lambda n: around(3.0), 0, seed=0)
    assert value(learned) == pytest.approx(0.5 + 0.25)
    assert weight(learned) == pytest.approx(2.0 + 0.01)


def after_two_gradients(one: float, other: float, beta1: float, beta2: float) -> float:
    """Return Adam's change after two gradients, in learning rates (Kingma and Ba, algorithm 1)."""
    mean = beta1 * (1 - beta1) * one + (1 - beta1) * other
    square = beta2 * (1 - beta2) * one**2 + (1 - beta2) * other**2
    second = mean / (1 - beta1**2) / math.sqrt(square / (1 - beta2**2))
    return -math.copysign(1, one) - second


@pytest.mark.parametrize("betas", [(0.3, 0.8), (0.0, 0.99)])
def test_the_betas_are_those_of_the_group(betas):
    own = Optimisation(learning_rate=0.1, betas=betas)
    other = Optimisation(learning_rate=0.1, betas=(0.7, 0.6))
    critics, learners = state(game(), critic=own, learner=other), state(Pull(), learner=own)
    for mean in (3.0, 1.5):
        critic_step(critics, around(mean))
        learner_step(learners, around(mean))
    moved = 0.1 * after_two_gradients(0.5 - 3.0, 0.5 - 1.5, *betas)
    assert weight(critics) == pytest.approx(2.0 + moved, abs=1e-5)
    moved = 0.1 * after_two_gradients(3.0, 1.5, *betas)
    assert value(learners) == pytest.approx(0.5 + moved, abs=1e-5)


def test_weights_decay_by_rate_and_setting_of_the_group():
    decaying = Optimisation(learning_rate=0.1, weight_decay=0.5)
    learned = state(game(), critic=decaying)
    step(learned, lambda n: around(3.0), 0, seed=0)
    assert weight(learned) == pytest.approx(2.0 * (1 - 0.1 * 0.5) + 0.1)
    assert value(learned) == pytest.approx(0.5 + 0.25)
    learned = state(game(), learner=decaying)
    step(learned, lambda n: around(3.0), 0, seed=0)
    assert value(learned) == pytest.approx(0.5 * (1 - 0.1 * 0.5) + 0.1)


def slope_of(learned: TrainState, name: str, parameter: str) -> float:
    gradient = learned.networks[name].get_parameter(parameter).grad
    assert gradient is not None
    return gradient.item()


@pytest.mark.parametrize(
    ("critic", "learner", "slopes"), [(0.5, 0, (-0.5, -2.0)), (0, 0.5, (-2.5, -0.5))]
)
def test_the_gradient_is_clipped_to_the_norm_of_the_group(critic, learner, slopes):
    """-2.5 of the critic and -2 of the learner, before."""
    learned = state(
        game(),
        critic=Optimisation(learning_rate=1e-9, clip_norm=critic),
        learner=Optimisation(clip_norm=learner),
    )
    critic_step(learned, around(3.0))
    assert slope_of(learned, "critic_x", "weight") == pytest.approx(slopes[0], rel=1e-4)
    learner_step(learned, around(3.0))
    assert slope_of(learned, "decoder", "value") == pytest.approx(slopes[1], rel=1e-4)


class HalfPull(Pull):
    weight = 0.5


def test_the_gradients_of_two_terms_on_the_decoder_are_measured_with_their_weights():
    """2 of the game, the critic's slope; half of 3 of the pull. Of one term there is no ratio."""
    learned, unmeasured = state(game(), HalfPull()), state(game(), HalfPull())
    logged = learner_step(learned, around(3.0), measured=True)
    norms = {name: norm for name, norm in logged.items() if name.startswith("gradient_")}
    assert norms == {
        "gradient_match_x": pytest.approx(2.0),
        "gradient_pull": pytest.approx(1.5),
    }
    assert not norms.keys() & learner_step(unmeasured, around(3.0)).keys()
    assert not norms.keys() & step(state(game(), HalfPull()), lambda n: around(3.0), 0, 0).keys()
    assert value(learned) == value(unmeasured)
    assert not norms.keys() & learner_step(state(game()), around(3.0), measured=True).keys()


def test_gradients_are_measured_in_the_steps_that_are_logged(tmp_path):
    seen: list[bool] = []
    monitor = Monitor(on_step=lambda budget, losses: seen.append("gradient_pull" in losses))
    config = TrainConfig(steps=6, log_every_steps=3)
    with Run.open(tmp_path / "run", {}) as run:
        learned = state(game(), HalfPull())
        train(run, learned, lambda n: around(3.0), config, lambda n, s: {}, monitor)
    assert seen == [False, False, True, False, False, True]


@pytest.mark.parametrize(("bad", "skipped"), [({0}, 1.0), ({0, 1}, 2.0), ({2}, 1.0), (set(), 0.0)])
def test_updates_that_are_not_finite_are_skipped_one_by_one_and_counted(bad, skipped):
    """Batches 0 and 1 are the critic's, 2 is the learner's, who meets no batch of the critic."""
    learned = state(game(critic_steps=2), HalfPull())
    losses = step(learned, lambda n: around(math.nan if n in bad else 3.0), 0, seed=0)
    assert losses["skipped"] == skipped
    updates = 2 - len(bad & {0, 1})
    assert weight(learned) == pytest.approx(2.0 + 0.01 * updates, abs=1e-6)
    assert (value(learned) == 0.5) == (2 in bad)


def test_a_gradient_is_of_its_own_batch():
    learned = state(game())
    for mean in (3.0, 1.5):
        critic_step(learned, around(mean))
    assert slope_of(learned, "critic_x", "weight") == pytest.approx(0.5 - 1.5)


def test_the_critics_weights_alone_are_clipped_after_each_of_its_updates():
    """Arjovsky et al. 2017, algorithm 1, line 7."""
    learned = state(game(clip=0.04))
    critic_step(learned, around(3.0))
    assert weight(learned) == pytest.approx(0.04)
    learner_step(learned, around(3.0))
    assert value(learned) == pytest.approx(0.75)


def test_no_batch_is_drawn_twice():
    """Three for the critic and one for the learner in each step, each of them new."""
    for learned, count in ((state(game(critic_steps=3)), 12), (state(Pull()), 3)):
        seen: list[int] = []

        def batches(draw: int, seen: list[int] = seen) -> Batch:
            seen.append(draw)
            return around(3.0)

        for number in range(3):
            step(learned, batches, number, seed=0)
        assert seen == list(range(count))


def drawn(seed: int, number: int) -> float:
    noise = Noise()
    step(state(noise), lambda n: around(1.0), number, seed)
    return noise.drawn[0]


def test_seed_and_number_decide_the_random_numbers_of_a_step():
    torch.manual_seed(1)
    once = drawn(4, 7)
    torch.manual_seed(2)
    assert drawn(4, 7) == once
    numbers = [drawn(seed, number) for seed in range(3) for number in range(3)]
    assert len({once, *numbers}) == 10


def trained(folder: Path, of: TrainState, observe: Callable = lambda n, s: {}, **config) -> None:
    """Train on batches around 3."""
    settings = TrainConfig.model_validate(
        {"learner": of.learner, "critic": of.critic, "ema_decay": 0.5} | config
    )
    with Run.open(folder, {}) as run:
        train(run, of, lambda n: around(3.0), settings, observe)


def test_a_run_draws_by_its_seed(tmp_path):
    def numbers(name: str, seed: int) -> list[float]:
        noise = Noise()
        trained(tmp_path / name, state(noise), steps=2, seed=seed)
        return noise.drawn

    assert numbers("one", 3) == numbers("same", 3) == [drawn(3, 0), drawn(3, 1)]
    assert not set(numbers("other", 4)) & set(numbers("repeated", 3))


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ({"decay": "constant"}, (1, 1, 1, 1)),
        ({"decay": "linear"}, (1, 3 / 4, 2 / 4, 1 / 4)),
        ({"decay": "cosine"}, (1, (1 + math.sqrt(0.5)) / 2, 1 / 2, (1 - math.sqrt(0.5)) / 2)),
        ({"decay": "constant", "warmup_steps": 3}, (1 / 3, 2 / 3, 1, 1)),
        ({"decay": "linear", "warmup_steps": 2}, (1 / 2, 3 / 4, 2 / 4, 1 / 4)),
    ],
)
def test_the_schedule_sets_the_rates_of_each_step(tmp_path, schedule, factors):
    """Against a gradient that keeps its sign and size Adam moves by the rate in each step."""
    learned = state(Pull())
    trained(tmp_path / "run", learned, steps=4, **schedule)
    assert value(learned) == pytest.approx(0.5 - 0.25 * sum(factors), abs=1e-5)


def test_the_schedule_is_the_critics_too(tmp_path):
    """Its own rate, halved by the warm-up's first of two steps."""
    learned = state(game())
    trained(tmp_path / "run", learned, steps=1, warmup_steps=2)
    assert weight(learned) == pytest.approx(2.0 + 0.01 / 2)
    assert value(learned) == pytest.approx(0.5 + 0.25 / 2)


def test_what_is_observed_and_sampled_are_the_averages(tmp_path):
    """Decays of (1 + n) / (10 + n), 0.15 at most: 0.9, then 0.135 + 0.85 * 2 rates away."""
    learned, seen = state(Pull(), ema_decay=0.15), []
    trained(
        tmp_path / "run",
        learned,
        lambda networks, step: seen.append(networks["decoder"].value.item()) or {},
        steps=2,
        sample_every_steps=1,
    )
    assert seen == pytest.approx([0.5 - 0.25 * 0.9, 0.5 - 0.25 * 1.835], abs=1e-5)
    assert value(learned) == pytest.approx(0.0, abs=1e-5)
    stored = Networks({"decoder": Constant(), "prior": Zero()})
    Run.read(tmp_path / "run").fill(stored, "ema")
    assert stored["decoder"].get_parameter("value").item() == pytest.approx(seen[1])


class Unweighted(Noise):
    name, weight = "unweighted", 0.0


def test_a_term_of_weight_0_is_logged_where_measured_and_changes_nothing():
    """It is not computed otherwise, and draws its random numbers after those of the others."""
    drawn = []
    for measured in (False, True):
        first, last = Unweighted(), Noise()
        logged = step(state(first, last), lambda n: Batch(torch.ones(1, 1)), 3, 5, measured)
        assert len(first.drawn) == int(measured)
        assert ("unweighted" in logged) == measured
        drawn.append(last.drawn)
    assert drawn[0] == drawn[1] != []


def test_a_growing_network_gets_the_step_from_0_wherever_it_stands():
    """Its stage after 6 of 4 steps a level is 1.5."""
    decoder, stages = Constant(), []
    decoder.inner = growing = ProgressiveGenerator(1, 1, (2,), 3, 1, 4)
    parts = Networks({"decoder": decoder, "prior": Zero()})
    learned = TrainState(parts, Recipe((Pull(),), PAPER), FAST, SLOW, 0.0)
    for number in range(7):
        step(learned, lambda n: around(3.0), number, seed=0)
        stages.append(growing.stage.item())
    assert stages == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
