"""The training loop: budget, schedule, log and checkpoints; independent of model and domain.

pianoreel music train DATA --to RUN     the same command on the same folder resumes
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from core import processes
from core.config import Seed, Strict
from core.errors import NotFinite, Stopped
from core.theory.passes import Networks
from core.training.checkpoint import resumable
from core.training.device import isolated_random_state
from core.training.optimisation import Optimisation
from core.training.run import Run
from core.training.serialisation import size_bytes
from core.training.setbacks import RATE_FACTOR, go_back, setbacks
from core.training.step import Batches, Scheduled, TrainState, step


class TrainConfig(Strict):
    """Budget, batch size, optimizers, learning-rate schedule, and the intervals of the record.

    The budget is `steps` or `minutes`; of both the first that is used up ends the training.
    `clock`: whose minutes, those of the clock on the wall or of the processor, on which other
    programs do not count: for comparisons on a machine that is shared.
    `skips_allowed` consecutive steps that are not finite are a setback: the run goes back to its
    last checkpoint with half the learning rate, at most `setbacks_allowed` times.
    `bf16`: bfloat16 autocast where the device multiplies bfloat16; elsewhere single precision.
    `frozen`: networks that stay as they are, such as the decoder of the run that training starts
    from; terms that train no others are left out. `tensorboard`: whether the run's record is also
    written for TensorBoard.
    """

    steps: int | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)
    clock: Literal["wall", "processor"] = "wall"
    batch_size: int = Field(default=64, gt=0)
    learner: Optimisation = Optimisation()
    critic: Optimisation = Optimisation()
    warmup_steps: int = Field(default=0, ge=0)
    decay: Literal["constant", "linear", "cosine"] = "constant"
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    bf16: bool = False
    seed: Seed = 0
    log_every_steps: int = Field(default=20, gt=0)
    sample_every_steps: int = Field(default=1000, gt=0)
    save_every_steps: int = Field(default=1000, gt=0)
    save_every_minutes: float = Field(default=5.0, gt=0)
    skips_allowed: int = Field(default=10, gt=0)
    setbacks_allowed: int = Field(default=3, ge=0)
    frozen: tuple[str, ...] = ()
    tensorboard: bool = False

    @model_validator(mode="after")
    def _has_budget(self) -> "TrainConfig":
        if self.steps is None and self.minutes is None:
            raise ValueError("a budget is needed: steps, minutes or both")
        return self


Observe = Callable[[Networks, int], dict[str, float]]
"""(EMA networks, step) -> measurements to log; the smallest `distance` marks the best step.

A function of its arguments alone: a resumed run repeats the observation of its first step.
"""


@dataclass
class Budget:
    """Progress of a run: finished steps, and the seconds at the end of the last one.

    Seconds are those of the configured clock, summed over all commands that trained the run; of
    several processes they are those of the slowest. `least_distance`: of those measured so far,
    infinite before the first. `setbacks`: how often the learning rate was halved.
    """

    config: TrainConfig
    step: int = 0
    seconds: float = 0.0
    least_distance: float = math.inf
    setbacks: int = 0

    def __post_init__(self) -> None:
        self._started = self._now() - self.seconds

    def advance(self) -> None:
        """Count one more finished step."""
        self.step += 1
        self.seconds = processes.largest(self._now() - self._started)

    def _now(self) -> float:
        on_the_wall = self.config.clock == "wall"
        return time.monotonic() if on_the_wall else time.process_time()  # of all threads

    @property
    def fraction(self) -> float:
        """Share of the budget that is used, in [0, 1]."""
        by_steps = self.step / self.config.steps if self.config.steps else 0.0
        by_time = self.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return min(1.0, max(by_steps, by_time))


@dataclass(frozen=True)
class Monitor:
    """Callbacks by which a caller follows a training and stops it.

    `should_stop` is read between steps: true ends the training with `Stopped` once the last
    finished step is saved, of several processes that of any. `on_step` is called after each step
    with the budget and the losses, `on_rest` with (done, total) of what is made after the last.

    >>> import threading
    >>> button = threading.Event()
    >>> Monitor(should_stop=button.is_set).should_stop()
    False
    """

    should_stop: Callable[[], bool] = lambda: False
    on_step: Callable[[Budget, Mapping[str, float]], object] = lambda budget, losses: None
    on_rest: Callable[[int, int], object] = lambda done, total: None


UNMONITORED = Monitor()
"""Nobody follows, nothing stops."""


OBSERVING_SHARE = 0.1
"""Largest share of the time in which samples are drawn and measured."""


def rate_factor(config: TrainConfig, step: int, fraction: float) -> float:
    """Return the factor of the learning rate: linear warm-up times the decay towards 0.

    >>> rate_factor(TrainConfig(steps=10, decay="cosine"), 5, 0.5)
    0.5
    """
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    decays = {
        "constant": 1.0,
        "linear": 1 - fraction,
        "cosine": round(0.5 * (1 + math.cos(math.pi * fraction)), 12),
    }
    return warmup * decays[config.decay]


def train(
    run: Run,
    state: TrainState,
    batches: Batches,
    config: TrainConfig,
    observe: Observe,
    monitor: Monitor = UNMONITORED,
) -> Budget:
    """Train until the budget is used, resuming from the run's newest checkpoint.

    Raises `Stopped`, with the last finished step saved, where `monitor` asks for a stop. Updates
    whose loss or gradient is not finite are skipped; `skips_allowed` consecutive steps with one
    are a setback: the run resumes from its newest checkpoint with half the learning rate. After
    `setbacks_allowed` of them it raises `Resumable`. The caller's random state is left as it was.
    """
    initial = copy.deepcopy(state.networks.state_dict())
    with isolated_random_state(state.device):
        while True:
            budget = resume(run, state, config)
            try:
                _advance(run, state, batches, observe, monitor, budget)
            except NotFinite as fault:
                go_back(run, config.learner.learning_rate, config.setbacks_allowed, fault)
                state.restart(initial)
            else:
                return budget


def _advance(
    run: Run,
    state: TrainState,
    batches: Batches,
    observe: Observe,
    monitor: Monitor,
    budget: Budget,
) -> None:
    """Train until the budget is used."""
    config = budget.config
    recorder = Recorder(run, state, budget, observe)
    recorder.observe_if_due()
    while budget.fraction < 1:
        recorder.stop_if_asked(monitor)
        factor = rate_factor(config, budget.step, budget.fraction)
        set_rates(state, factor * RATE_FACTOR**budget.setbacks)
        logged = (budget.step + 1) % config.log_every_steps == 0
        state.current = state.recipe.at(budget.fraction)
        drawn = batches.at(budget.fraction) if isinstance(batches, Scheduled) else batches
        losses = step(state, drawn, budget.step, config.seed, measured=logged)
        budget.advance()
        recorder.count_skipped(losses)
        with recorder.saving():
            monitor.on_step(budget, losses)
            recorder.log_if_due(losses)
        recorder.stop_if_asked(monitor)
        recorder.save_if_due()
        recorder.observe_if_due()


def resume(run: Run, state: TrainState, config: TrainConfig) -> Budget:
    """Load the newest valid checkpoint, if any, into `state`; return the budget used so far.

    `Resumable` where the disk has no room for the weights, their EMA and Adam's two moments.
    """
    run.require_space(4 * size_bytes(state.networks.state_dict()))
    checkpoint = run.latest()
    if checkpoint is None:
        run.forget_after(0)
        return Budget(config, setbacks=setbacks(run))
    state.load(checkpoint)
    step, seconds = int(checkpoint.fact("step")), checkpoint.fact("seconds")
    run.forget_after(step)
    return Budget(config, step, seconds, run.least_distance(), setbacks(run))


@dataclass
class Recorder:
    """Writes the record of a run: log lines, checkpoints, then observations.

    A step is saved before it is observed, so that neither a stop nor a failure while samples are
    drawn and measured costs a checkpoint. Steps are observed less often than is set where that
    would take more than a tenth of the time. The log line of an observation is written last: a
    resumed run whose step lacks it observes that step first. While steps are skipped none is saved
    but the last, so that a setback leads to weights of which the losses were finite.
    """

    run: Run
    state: TrainState
    budget: Budget
    observe: Observe

    def __post_init__(self) -> None:
        self.consecutive_skips = 0
        self.saved_step = self.budget.step
        self.saved_at_seconds = self.budget.seconds
        self.observed_at, self.observing_seconds = -math.inf, 0.0

    def count_skipped(self, losses: Mapping[str, float]) -> None:
        self.consecutive_skips = self.consecutive_skips + 1 if losses["skipped"] else 0
        if self.consecutive_skips >= self.budget.config.skips_allowed:
            raise NotFinite(
                f"{self.consecutive_skips} consecutive steps gave losses or gradients that are "
                "not finite"
            )

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Save the last finished step where what is done with it within fails."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            if processes.number() == 0:
                with processes.alone():
                    self.save()
            raise

    def log_if_due(self, losses: Mapping[str, float]) -> None:
        if self._is_due(self.budget.config.log_every_steps):
            seconds = {"seconds": round(self.budget.seconds, 3)}
            self.run.log(self.budget.step, {**losses, **seconds})

    def save_if_due(self) -> None:
        config = self.budget.config
        late = self.budget.seconds - self.saved_at_seconds > 60 * config.save_every_minutes
        due = late or any(map(self._is_due, (config.save_every_steps, config.sample_every_steps)))
        if due and (not self.consecutive_skips or self.budget.fraction >= 1):
            self.save()

    def save(self) -> None:
        """Save the last finished step, unless it is saved."""
        if self.saved_step < self.budget.step:
            self.run.save(self.budget.step, self.state.state(), self._facts())
            self.saved_step = self.budget.step
            self.saved_at_seconds = self.budget.seconds

    def observe_if_due(self) -> None:
        """Observe the saved step, mark it as the best if it is, and log the measurements."""
        due = self._is_due(self.budget.config.sample_every_steps)
        if not due or self.saved_step < self.budget.step or self._is_observed():
            return
        began = time.monotonic()
        if self.budget.fraction < 1 and self._costs_too_much(began):
            return
        measured = self._observation()
        self.observed_at = time.monotonic()
        self.observing_seconds = self.observed_at - began
        if "distance" in measured:
            distance = measured["distance"]
            self.run.save_if_best(distance, self.state.state(), self._facts())
            self.budget.least_distance = min(self.budget.least_distance, distance)
        if measured:
            self.run.log(self.budget.step, measured)

    @processes.by_first
    def _observation(self) -> dict[str, float]:
        with resumable(f"write samples to {self.run.folder}"):
            return self.observe(self.state.ema, self.budget.step)

    @processes.by_first
    def _costs_too_much(self, now: float) -> bool:
        """Return whether another observation would take more than its share of the time."""
        share = self.observing_seconds / (self.observing_seconds + now - self.observed_at)
        return share > OBSERVING_SHARE

    def stop_if_asked(self, monitor: Monitor) -> None:
        if processes.largest(monitor.should_stop()):
            self.save()
            raise Stopped(
                f"stopped after step {self.budget.step}; the same command resumes in "
                f"{self.run.folder}"
            )

    def _is_due(self, every_steps: int) -> bool:
        finished = self.budget.fraction >= 1
        return self.budget.step > 0 and (finished or self.budget.step % every_steps == 0)

    def _is_observed(self) -> bool:
        """Return whether the log holds an observation: a line without the seconds of losses."""
        return any("seconds" not in line for line in self.run.logged(self.budget.step))

    def _facts(self) -> dict[str, float]:
        own: dict[str, float] = {"step": self.budget.step, "seconds": self.budget.seconds}
        return own | self.state.facts()


def set_rates(state: TrainState, factor: float) -> None:
    """Set the learning rates of the next step: `factor` times those of the settings."""
    for name, optimizer in state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = state.settings(name).learning_rate * factor
