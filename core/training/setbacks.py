"""Setbacks: where losses or weights are no longer finite a run goes back, and learns more slowly.

It resumes from its newest checkpoint, or from the beginning, with half the learning rate. Each
setback is a line of the run's history, so that a resumed run learns at the same rate.
"""

import logging

from core.errors import NotFinite, Resumable
from core.processes import by_first
from core.training.run import Run

LOG = logging.getLogger("pianoreel")

RATE_FACTOR = 0.5
"""Factor of the learning rate after each setback."""


@by_first
def setbacks(run: Run) -> int:
    """Count the setbacks of a run since its learning rate was last changed by hand."""
    count = 0
    for event in run.history():
        changed = any(key.endswith("learning_rate") for key in event.get("changed", {}))
        count = 0 if changed else count + ("setback" in event)
    return count


@by_first
def go_back(run: Run, rate: float, allowed: int, fault: NotFinite) -> None:
    """Write a setback into the run's history; `Resumable` after as many as are allowed.

    `rate`: the learning rate before any setback. A checkpoint that the run went back to before
    gives way to the one before it.
    """
    count = setbacks(run) + 1
    if count > allowed:
        tried = f", also with the learning rate halved {allowed} times" if allowed else ""
        lower = rate * RATE_FACTOR**count
        raise Resumable(
            f"{fault}{tried}; what {run.folder} holds is intact: repeat the command with a lower "
            f"rate, such as --set train.learner.learning_rate={lower:.1g} (of critics: "
            "train.critic.learning_rate)"
        ) from fault
    newest = run.newest_step
    if any("setback" in event and event["step"] == newest for event in run.history()):
        run.forget_newest()
    run.remember({"setback": count, "reason": str(fault)})
    LOG.warning(
        "%s: back to step %d with half the learning rate (%d of at most %d times)",
        fault,
        run.newest_step,
        count,
        allowed,
    )
