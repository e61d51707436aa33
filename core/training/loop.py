"""The loop: it knows steps, logs and checkpoints, and nothing of the model or the domain.

pianoreel music train DATA --to RUN     the same command on the same folder resumes
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from core.config import Strict
from core.errors import Resumable
from core.theory.passes import Networks, is_critic
from core.training.interruption import Interruption
from core.training.run import Run
from core.training.serialisation import size_bytes
from core.training.step import Batches, Optimisation, TrainState, step


class TrainConfig(Strict):
    """How long, how fast, how often. The budget is `steps` or `minutes`; of both the first met.

    `bf16`: half precision, where the device computes with it; elsewhere single precision.
    """

    steps: int | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=64, gt=0)
    learner: Optimisation = Optimisation()
    critic: Optimisation = Optimisation()
    warmup_steps: int = Field(default=0, ge=0)
    decay: Literal["constant", "linear", "cosine"] = "constant"
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    bf16: bool = False
    seed: int = Field(default=0, ge=0)
    log_every_steps: int = Field(default=20, gt=0)
    sample_every_steps: int = Field(default=1000, gt=0)
    save_every_steps: int = Field(default=1000, gt=0)
    save_every_minutes: float = Field(default=5.0, gt=0)
    skips_allowed: int = Field(default=10, gt=0)

    @model_validator(mode="after")
    def _has_budget(self) -> "TrainConfig":
        if self.steps is None and self.minutes is None:
            raise ValueError("a budget is needed: steps, minutes or both")
        return self


Observe = Callable[[Networks, int], dict[str, float]]
"""(averaged networks, step) -> facts to log; the least `distance` is the best so far."""


@dataclass
class Budget:
    """How far a run has come, in steps and in seconds of training over all its commands."""

    config: TrainConfig
    step: int = 0
    seconds_before: float = 0.0

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._started

    @property
    def fraction(self) -> float:
        """Share of the budget that is used, in [0, 1]."""
        by_steps = self.step / self.config.steps if self.config.steps else 0.0
        by_time = self.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return min(1.0, max(by_steps, by_time))


def rate_factor(config: TrainConfig, step: int, fraction: float) -> float:
    """The learning rate's factor: a linear warm-up, then the chosen decay towards 0.

    >>> rate_factor(TrainConfig(steps=10, decay="cosine"), 5, 0.5)
    0.5
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    decays = {
        "constant": 1.0,
        "linear": 1 - fraction,
        "cosine": round(0.5 * (1 + math.cos(math.pi * fraction)), 12),
    }
    return warm * decays[config.decay]


def train(
    run: Run,
    state: TrainState,
    batches: Batches,
    config: TrainConfig,
    observe: Observe,
    console: Console | None = None,
) -> Budget:
    """Train until the budget is used, resuming where the run's newest checkpoint stands.

    Ctrl-C and SIGTERM finish the step and save. Updates with a loss or gradient that is not finite
    are skipped; after `skips_allowed` steps in a row with one the run stops with `Resumable` and
    keeps its last checkpoint.
    """
    budget = resume(run, state, config)
    recorder = Recorder(run, state, budget, observe)
    with Interruption() as interruption, _progress(console) as progress:
        task = progress.add_task("", total=1.0)
        while budget.fraction < 1:
            _set_rates(state, config, budget)
            losses = step(state, batches, budget.step, config.seed)
            budget.step += 1
            recorder.count(losses)
            progress.update(task, completed=budget.fraction, description=_describe(budget, losses))
            recorder.after_step(losses, stopping=interruption.noted or budget.fraction >= 1)
            interruption.raise_if_noted(run)
    return budget


def resume(run: Run, state: TrainState, config: TrainConfig) -> Budget:
    """Load the newest valid checkpoint, if any, into `learning`.

    `UserError` where the disk has no room for the weights, their averages and Adam's two moments.
    """
    run.require_space(4 * size_bytes(state.networks.state_dict()))
    checkpoint = run.latest()
    if checkpoint is None:
        run.forget_after(0)
        return Budget(config)
    state.load(checkpoint)
    run.forget_after(int(checkpoint.facts["step"]))
    return Budget(config, int(checkpoint.facts["step"]), float(checkpoint.facts["seconds"]))


@dataclass
class Recorder:
    """What is kept of a run while it goes: log lines, samples and checkpoints."""

    run: Run
    state: TrainState
    budget: Budget
    observe: Observe

    def __post_init__(self) -> None:
        self.skipped_in_a_row = 0
        self.saved_at_seconds = self.budget.seconds

    def count(self, losses: dict[str, float]) -> None:
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if losses["skipped"] else 0
        if self.skipped_in_a_row >= self.budget.config.skips_allowed:
            raise Resumable(
                f"{self.skipped_in_a_row} steps in a row gave losses or gradients not finite; "
                f"the last checkpoint in {self.run.folder} is intact: lower the learning rate"
            )

    def after_step(self, losses: dict[str, float], stopping: bool) -> None:
        """Log, show and save what is due after this step."""
        config, step = self.budget.config, self.budget.step
        if step % config.log_every_steps == 0 or stopping:
            self.run.log(step, losses | {"seconds": round(self.budget.seconds, 3)})
        facts = self._observe() if step % config.sample_every_steps == 0 or stopping else {}
        late = self.budget.seconds - self.saved_at_seconds > 60 * config.save_every_minutes
        if stopping or facts or late or step % config.save_every_steps == 0:
            self._save(facts.get("distance"))

    def _observe(self) -> dict[str, float]:
        facts = self.observe(self.state.ema, self.budget.step)
        if facts:
            self.run.log(self.budget.step, facts)
        return facts

    def _save(self, distance: float | None) -> None:
        facts = {"step": self.budget.step, "seconds": self.budget.seconds}
        self.run.save(self.budget.step, self.state.state(), facts, best=distance)
        self.saved_at_seconds = self.budget.seconds


def _set_rates(state: TrainState, config: TrainConfig, budget: Budget) -> None:
    factor = rate_factor(config, budget.step, budget.fraction)
    for name, optimizer in state.optimizers.items():
        settings = config.critic if is_critic(name) else config.learner
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor


def _progress(console: Console | None) -> Progress:
    shown = console or Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    return Progress(*columns, console=shown, disable=not shown.is_terminal)


def _describe(budget: Budget, losses: dict[str, float]) -> str:
    shown = "  ".join(f"{name} {value:.4g}" for name, value in losses.items() if name != "skipped")
    return f"step {budget.step}  {shown}"
