"""Train a configured model into a run folder, or go on there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from core.app.configuration import CHANGEABLE, Config, RunConfig
from core.config import resolve
from core.errors import ConfigError
from core.theory.passes import Networks
from core.training.device import computes_bf16, isolated_random_state, keep_freed_memory
from core.training.loop import UNMONITORED, Monitor, Observe
from core.training.loop import train as train_run
from core.training.run import Run
from core.training.step import Batches, TrainState


def fit(
    to: str | Path,
    config: Config,
    build: Callable[[Config], Networks],
    draw: Batches,
    observe: Callable[[Run], Observe],
    device: torch.device,
    monitor: Monitor = UNMONITORED,
) -> Networks:
    """Train into the run folder `to`, or resume there; return the EMA networks.

    `Stopped` where `monitor` asks for a stop. The caller's random state is left as it was.
    """
    keep_freed_memory()
    train = config.train
    with isolated_random_state(device):
        torch.manual_seed(train.seed)
        networks = config.model.stabilisers.fit(build(config)).to(device)
    state = TrainState(
        networks,
        config.model.resolved_recipe,
        train.learner,
        train.critic,
        train.ema_decay,
        train.bf16 and computes_bf16(device),
        config.model.stabilisers.historical_averaging,
    )
    values = config.model_dump(mode="json")
    with Run.open(Path(to), values, CHANGEABLE, partial(_completed, type(config))) as run:
        train_run(run, state, draw, train, observe(run), monitor)
    return state.ema


def _completed(kind: type[RunConfig], stored: dict[str, Any]) -> dict[str, Any]:
    """Settings of an earlier version, with those that have come since at their defaults."""
    try:
        return resolve(kind, stored, "config.yaml").model_dump(mode="json")
    except ConfigError:
        return stored  # what it says is compared as it stands
