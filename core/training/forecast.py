"""Forecasts of a training: how far its budget reaches, and whether a model learns enough on it."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.training.loop import Budget, Monitor

LOG = logging.getLogger("pianoreel")

FIRST_SECONDS, FIRST_STEPS = 10.0, 3
"""The duration and the steps from which the rest of a budget in minutes is estimated."""
FAR = 4
"""Needing this many times as many steps is far too few."""


@dataclass(frozen=True)
class Need:
    """About how many steps a model needs until its samples can be recognised; 0: not known.

    `before`: what samples are like with far fewer.
    """

    steps: int = 0
    before: str = "noise"


def steps_in_all(budget: Budget) -> int:
    """Estimate the steps at the end of a budget of which at least one is finished."""
    return max(budget.step, round(budget.step / budget.fraction)) if budget.fraction else 0


def steps_a_second(budget: Budget) -> float:
    """Return the mean rate, over all commands that trained the run."""
    return budget.step / budget.seconds if budget.seconds else math.inf


def progress(budget: Budget, losses: Mapping[str, float]) -> str:
    """Return the state of a training in a line: steps, rate, losses, and the best measure."""
    shown = {n: v for n, v in losses.items() if not n.startswith(("skipped", "gradient_"))}
    best = {"least distance": budget.least_distance} if budget.least_distance < math.inf else {}
    rate = steps_a_second(budget)
    speed = f"{rate:.3g} steps a second" if rate >= 1 else f"{1 / rate:.3g} seconds a step"
    values = [f"{name} {value:.4g}" for name, value in (shown | best).items()]
    return ", ".join([f"step {budget.step:,} of about {steps_in_all(budget):,}", speed, *values])


def shortfall(budget: Budget, need: Need) -> str:
    """Return what is to be expected of a budget that is too small; empty for another."""
    reached = steps_in_all(budget)
    if reached >= need.steps:
        return ""
    few = "far too few" if FAR * reached < need.steps else "few"
    minutes = math.ceil(need.steps / steps_a_second(budget) / 60)
    asked = f"about {need.steps:,} are needed, here --minutes {minutes:,}"
    return f"{reached:,} steps are {few}: expect {need.before}; {asked}"


class Forecaster:
    """A monitor that warns once, as soon as it is known, of a budget that is too small."""

    def __init__(self, monitor: Monitor, need: Need):
        self.monitor, self.need, self.known = monitor, need, False

    @property
    def following(self) -> Monitor:
        """Return the monitor with the warning."""
        return Monitor(self.monitor.should_stop, self._on_step)

    def _on_step(self, budget: Budget, losses: Mapping[str, float]) -> None:
        self.monitor.on_step(budget, losses)
        timed = budget.seconds >= FIRST_SECONDS and budget.step >= FIRST_STEPS
        if not self.known and (timed or not budget.config.minutes or budget.fraction >= 1):
            self.known = True
            if warning := shortfall(budget, self.need):
                LOG.warning("this budget is too small: %s", warning)
