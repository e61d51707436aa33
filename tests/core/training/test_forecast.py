"""Forecasts: what a budget reaches, in steps, and when a warning is due."""

import math

import pytest

from core.training.forecast import (
    Forecaster,
    Need,
    progress,
    shortfall,
    steps_a_second,
    steps_in_all,
)
from core.training.loop import Budget, Monitor, TrainConfig

MINUTE = TrainConfig(minutes=10.0)
STEPS = TrainConfig(steps=40)
NEED = Need(1000, "grey")


def test_the_rest_of_a_budget_is_estimated_by_the_part_that_is_used():
    """20 steps in 1 of 10 minutes: 200 in all, one in 3 seconds."""
    budget = Budget(MINUTE, step=20, seconds=60.0)
    assert steps_in_all(budget) == pytest.approx(200, abs=1)
    assert steps_a_second(budget) == pytest.approx(1 / 3)
    assert steps_in_all(Budget(STEPS, step=10, seconds=5.0)) == 40
    assert steps_in_all(Budget(MINUTE)) == 0


def test_a_line_has_steps_rate_losses_and_the_best_distance():
    budget = Budget(STEPS, step=10, seconds=30.0)
    losses = {"match_z": 0.25, "skipped": 0.0, "gradient_decoder": 7.0}
    said = "step 10 of about 40, 3 seconds a step, match_z 0.25"
    assert progress(budget, losses) == said
    budget.least_distance = 0.125
    assert progress(budget, losses) == f"{said}, least distance 0.125"
    assert "2 steps a second" in progress(Budget(STEPS, step=10, seconds=5.0), {})


@pytest.mark.parametrize(
    ("step", "seconds", "expected"),
    [
        (20, 60.0, "200 steps are far too few: expect grey; about 1,000 are needed, here "
         "--minutes 50"),
        (30, 60.0, "300 steps are few: expect grey; about 1,000 are needed, here --minutes 34"),
        (100, 60.0, ""),
    ],
)  # fmt: skip
def test_too_small_a_budget_gets_the_minutes_that_would_do(step, seconds, expected):
    assert shortfall(Budget(MINUTE, step=step, seconds=seconds), NEED) == expected
    assert shortfall(Budget(MINUTE, step=step, seconds=seconds), Need()) == ""


def followed(config: TrainConfig, *moments: tuple[int, float]) -> list[int]:
    """Follow a training by the steps and seconds of some moments; return all steps passed on."""
    passed: list[int] = []
    monitor = Monitor(on_step=lambda budget, losses: passed.append(budget.step))
    following = Forecaster(monitor, NEED).following
    for step, seconds in moments:
        following.on_step(Budget(config, step, seconds), {})
    return passed


def test_a_warning_comes_once_and_as_soon_as_the_rate_is_known(caplog):
    assert followed(MINUTE, (2, 12.0), (4, 9.0)) == [2, 4]
    assert not caplog.records, "too early: two steps, or nine seconds"
    followed(MINUTE, (2, 9.0), (4, 12.0), (5, 15.0))
    (record,) = caplog.records
    assert record.getMessage().startswith("this budget is too small: 200 steps are far too few")


def test_a_budget_in_steps_or_at_its_end_is_known_at_once(caplog):
    followed(STEPS, (1, 0.1))
    followed(TrainConfig(minutes=0.1), (2, 6.0))
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "40 steps are far too few",
        "2 steps are far too few",
    ]
    caplog.clear()
    followed(TrainConfig(steps=1000), (1, 0.1), (1000, 100.0))
    assert not caplog.records


def test_a_monitor_that_stops_is_still_asked():
    monitor = Monitor(should_stop=lambda: True)
    assert Forecaster(monitor, NEED).following.should_stop()
    assert math.isinf(Budget(STEPS).least_distance)
