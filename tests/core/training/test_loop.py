"""The loop on the ring: budgets, logs, averages, and a resumed run that is bit-equal."""

import json

import pytest
import torch

from core.config import MAX_SEED
from core.errors import Resumable
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.ring.benchmark import adapting, on_the_ring
from core.theory.passes import Batch
from core.training.loop import Budget, Monitor, TrainConfig, rate_factor, train
from core.training.run import Run
from core.training.step import Batches, Optimisation, TrainState, step, update_ema


def tiny(steps: int, **others: object) -> TrainConfig:
    values = {"batch_size": 16, "ema_decay": 0.9, "seed": 5, "log_every_steps": 1}
    return TrainConfig.model_validate(values | {"steps": steps} | others)


def state(name: str, config: TrainConfig, **late: float) -> TrainState:
    torch.manual_seed(config.seed)
    parts = recipe(name).later(late)
    return TrainState(ring.networks(parts), parts, config.learner, config.critic, config.ema_decay)


def nothing(networks, step):
    return {}


def run_ring(folder, name, config, observe=nothing, batches=lambda n: ring.batch(n, 16), **late):
    learned = state(name, config, **late)
    with Run.open(folder, {"recipe": name}) as run:
        budget = train(run, learned, batches, config, observe)
    return learned, budget


@pytest.mark.parametrize("name", [*on_the_ring(), *adapting()])
def test_a_resumed_run_is_bit_equal_to_an_unbroken_one(tmp_path, name):
    batches = ring.batches(recipe(name), size=16)
    unbroken, _ = run_ring(tmp_path / "whole", name, tiny(5), batches=batches)
    run_ring(tmp_path / "parts", name, tiny(2), batches=batches)
    resumed, budget = run_ring(tmp_path / "parts", name, tiny(5), batches=batches)
    assert budget.step == 5
    whole, parts = unbroken.state(), resumed.state()
    for group in ("networks", "ema"):
        for key, value in whole[group].items():
            assert torch.equal(value, parts[group][key]), key
    for optimizer, state in whole["optimizers"].items():
        for index, moments in state["state"].items():
            for key, value in moments.items():
                assert torch.equal(value, parts["optimizers"][optimizer]["state"][index][key])


def test_the_log_of_a_resumed_run_has_each_step_once(tmp_path):
    run_ring(tmp_path / "run", "gan", tiny(2))
    run_ring(tmp_path / "run", "gan", tiny(5))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]


def test_losses_that_are_not_finite_stop_the_run_and_leave_the_weights(tmp_path):
    def batches(number: int) -> Batch:
        x = ring.batch(number, 16).x
        return Batch(x * float("nan") if number >= 2 else x)

    config = tiny(50, skips_allowed=3, setbacks_allowed=0, save_every_steps=1)
    with pytest.raises(Resumable, match="3 consecutive steps"):
        run_ring(tmp_path / "run", "ae", config, batches=batches)
    stored = Run.read(tmp_path / "run").latest()
    assert stored is not None
    assert all(torch.isfinite(value).all() for value in stored.state()["networks"].values())


@pytest.mark.parametrize(("bad", "stopped"), [({0, 1, 2}, 3), ({0, 1, 3, 4, 6, 7, 8}, 9)])
def test_consecutive_skips_are_counted_from_0_after_each_finite_step(tmp_path, bad, stopped):
    """Three in a row are too many, from the first step on; two, a finite one and two are not."""

    def batches(number: int) -> Batch:
        x = ring.batch(number, 16).x
        return Batch(x * float("nan") if number in bad else x)

    seen: list[int] = []
    monitor = Monitor(on_step=lambda budget, losses: seen.append(budget.step))
    learned = state("ae", config := tiny(50, skips_allowed=3, setbacks_allowed=0))
    with Run.open(tmp_path / "run", {}) as run, pytest.raises(Resumable, match="3 consecutive"):
        train(run, learned, batches, config, nothing, monitor)
    assert len(seen) == stopped - 1


def test_the_best_step_is_kept(tmp_path):
    distances = {2: 0.5, 4: 0.2, 6: 0.9}
    config = tiny(6, sample_every_steps=2)
    run_ring(tmp_path / "run", "gan", config, observe=lambda n, s: {"distance": distances[s]})
    best = Run.read(tmp_path / "run").best()
    assert best is not None
    assert best.facts["step"] == 4


def test_the_least_distance_so_far_is_known_also_to_a_resumed_run(tmp_path):
    distances = {2: 0.5, 4: 0.2, 6: 0.9, 8: 0.7}
    for steps, least in ((2, 0.5), (6, 0.2), (8, 0.2)):
        config = tiny(steps, sample_every_steps=2)
        observe = lambda n, s: {"distance": distances[s]}  # noqa: E731
        assert run_ring(tmp_path / "run", "ae", config, observe=observe)[1].least_distance == least


def test_samples_are_drawn_less_often_where_that_would_take_over_a_tenth_of_the_time(
    tmp_path, monkeypatch
):
    """Steps of 1 second; an observation takes 6, so one comes after 54, and one at the end."""
    now, observed = [0.0], []
    monkeypatch.setattr("core.training.loop.time.monotonic", lambda: now[0])

    def batches(number: int) -> Batch:
        now[0] += 1.0
        return ring.batch(number, 16)

    def observe(networks, step):
        now[0] += 6.0
        observed.append(step)
        return {}

    config = tiny(121, sample_every_steps=2, save_every_steps=1000)
    run_ring(tmp_path / "run", "ae", config, observe=observe, batches=batches)
    assert observed == [2, 56, 110, 121]


@pytest.mark.parametrize(("number", "decay"), [(1000, 0.75), (0, 0.1), (2, 0.25)])
def test_averages_follow_by_their_decay_and_faster_at_first(number, decay):
    learned = state("gan", tiny(1, ema_decay=0.75))
    before = next(learned.ema["decoder"].parameters()).clone()
    weight = next(learned.networks["decoder"].parameters())
    with torch.no_grad():
        weight += 4.0
    update_ema(learned, number)
    after = next(learned.ema["decoder"].parameters())
    torch.testing.assert_close(after, before + 4.0 * (1 - decay))


def test_rates_warm_up_and_decay():
    config = TrainConfig(steps=100, warmup_steps=10, decay="linear")
    assert rate_factor(config, 4, 0.04) == pytest.approx(0.5 * 0.96)
    assert rate_factor(config, 50, 0.5) == pytest.approx(0.5)


def test_a_clock_counts_by_the_budget_that_ends_first():
    budget = Budget(TrainConfig(steps=10, minutes=1.0), step=3, seconds=30.0)
    assert budget.fraction == pytest.approx(0.5, abs=0.01)


def test_a_new_budget_has_used_nothing(monkeypatch):
    """And counts its seconds from its beginning: half a minute after, half of a minute."""
    now = [100.0]
    monkeypatch.setattr("core.training.loop.time.monotonic", lambda: now[0])
    budget = Budget(TrainConfig(minutes=1.0))
    assert (budget.step, budget.seconds, budget.fraction) == (0, 0.0, 0.0)
    now[0] = 130.0
    budget.advance()
    assert (budget.step, budget.seconds, budget.fraction) == (1, 30.0, 0.5)


class Recorded:
    """Batches that note the share of the budget for which they are drawn."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def __call__(self, number: int) -> Batch:
        raise AssertionError("the loop says how much is used")

    def at(self, used: float) -> Batches:
        self.shares.append(used)
        return lambda n: ring.batch(n + 100 * (used >= 0.5), 16)


def test_batches_may_depend_on_the_share_of_the_budget_that_is_used(tmp_path):
    batches = Recorded()
    learned, _ = run_ring(tmp_path / "one", "vae", tiny(4), batches=batches)
    assert batches.shares == [0, 0.25, 0.5, 0.75]
    same, _ = run_ring(
        tmp_path / "two", "vae", tiny(4), batches=lambda n: ring.batch(n + 100 * (n >= 2), 16)
    )
    for key, value in learned.state()["networks"].items():
        assert torch.equal(value, same.state()["networks"][key]), key


def test_a_late_game_is_played_from_its_share_of_the_budget_on(tmp_path):
    learned, _ = run_ring(tmp_path / "run", "aae", tiny(6), match_z=0.5)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert ["critic_z_game" in line for line in lines] == [False] * 3 + [True] * 3
    assert all("match_z" in line for line in lines), "logged before it counts"
    waiting, _ = run_ring(tmp_path / "waiting", "aae", tiny(3), match_z=1.0)
    untrained = state("aae", tiny(6)).networks["critic_z"].state_dict()
    for key, value in untrained.items():
        assert torch.equal(waiting.networks["critic_z"].state_dict()[key], value), key
        assert not torch.equal(learned.networks["critic_z"].state_dict()[key], value), key


def test_a_late_term_has_its_weight_when_it_joins_and_none_before():
    parts = recipe("vae").later({"match_z": 0.5})
    weights = [[term.weight for term in parts.at(used).terms] for used in (0, 0.49, 0.5, 1)]
    assert weights == [[1, 0], [1, 0], [1, 1], [1, 1]]


def test_minutes_of_the_processor_do_not_pass_while_other_programs_run(monkeypatch):
    wall, processor = [100.0], [7.0]
    monkeypatch.setattr("core.training.loop.time.monotonic", lambda: wall[0])
    monkeypatch.setattr("core.training.loop.time.process_time", lambda: processor[0])
    budget = Budget(TrainConfig(minutes=1.0, clock="processor"))
    wall[0], processor[0] = 190.0, 22.0
    budget.advance()
    assert (budget.seconds, budget.fraction) == (15.0, 0.25)


def test_a_run_is_saved_once_the_minutes_since_its_last_save_have_passed(tmp_path, monkeypatch):
    """Steps of 25 seconds, saved after each minute, and at the end."""
    now, saved = [0.0], []
    monkeypatch.setattr("core.training.loop.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Run, "save", lambda run, step, state, facts: saved.append(step))

    def batches(number: int) -> Batch:
        now[0] += 25.0
        return ring.batch(number, 16)

    run_ring(tmp_path / "run", "ae", tiny(10, save_every_minutes=1.0), batches=batches)
    assert saved == [3, 6, 9, 10]


def test_a_budget_is_needed():
    with pytest.raises(ValueError, match="budget"):
        TrainConfig()


def test_the_largest_seed_trains_with_random_numbers_of_its_own(tmp_path):
    """All seeds reach torch's generator, and the largest is not another's."""
    losses = []
    for seed in (MAX_SEED, MAX_SEED - 1):
        learned = state("gan", tiny(1))
        losses.append(step(learned, lambda n: ring.batch(n, 16), 7, seed))
    assert losses[0] != losses[1]


def test_gradients_are_clipped_by_choice():
    from core.training.step import learner_step

    learned = state("ae", tiny(1))
    learned.learner = Optimisation(clip_norm=0.01)
    learner_step(learned, ring.batch(0))
    norm = torch.stack(
        [p.grad.norm() for p in learned.networks["decoder"].parameters() if p.grad is not None]
    ).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)
