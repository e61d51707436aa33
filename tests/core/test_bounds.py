"""Bounds of settings: the last value that is allowed, and the first that is refused."""

from typing import Any

import pytest

from core.app.configuration import ModelConfig
from core.config import Strict, resolve
from core.data.limits import Limits
from core.errors import ConfigError
from core.ring.configuration import RingModel
from core.ring.settings import Couplings
from core.training.loop import TrainConfig
from core.training.optimisation import Optimisation
from core.training.stabilisers import Stabilisers

BOUNDS: list[tuple[type[Strict], str, Any, Any]] = [
    (Optimisation, "learning_rate", 1e-12, 0),
    (Optimisation, "weight_decay", 0, -1e-9),
    (Optimisation, "clip_norm", 0, -1e-9),
    (TrainConfig, "steps", 1, 0),
    (TrainConfig, "minutes", 1e-6, 0),
    (TrainConfig, "batch_size", 1, 0),
    (TrainConfig, "warmup_steps", 0, -1),
    (TrainConfig, "ema_decay", 0, -1e-9),
    (TrainConfig, "ema_decay", 0.999999, 1),
    (TrainConfig, "seed", 0, -1),
    (TrainConfig, "log_every_steps", 1, 0),
    (TrainConfig, "sample_every_steps", 1, 0),
    (TrainConfig, "save_every_steps", 1, 0),
    (TrainConfig, "save_every_minutes", 1e-6, 0),
    (TrainConfig, "skips_allowed", 1, 0),
    (TrainConfig, "setbacks_allowed", 0, -1),
    (Stabilisers, "feature_matching", 0, -1e-9),
    (Stabilisers, "minibatch_discrimination", 0, -1),
    (Stabilisers, "historical_averaging", 0, -1e-9),
    (Stabilisers, "pool", 0, -1),
    (Stabilisers, "label_smoothing", 0, -1e-9),
    (Stabilisers, "label_smoothing", 0.999, 1),
    (Stabilisers, "instance_noise", 0, -1e-9),
    (Stabilisers, "r1", 0, -1e-9),
    (Stabilisers, "gradient_penalty", 0, -1e-9),
    (Stabilisers, "clip", 0, -1e-9),
    (ModelConfig, "critic_steps", 1, 0),
    (RingModel, "latent", 1, 0),
    (RingModel, "frequencies", 0, -1),
    (Couplings, "couplings", 1, 0),
    (Couplings, "width", 1, 0),
    (Couplings, "bound", 1e-6, 0),
    (Limits, "file_bytes", 1, 0),
    (Limits, "seconds", 1e-6, 0),
    (Limits, "memory_mb", 1, 0),
    (Limits, "archive_members", 1, 0),
    (Limits, "archive_ratio", 1, 0.99),
]
NEEDED = {
    TrainConfig: {"steps": 5},
    ModelConfig: {"recipe": "gan"},
    RingModel: {"recipe": "gan"},
    Couplings: {"couplings": 2, "width": 3},
}


@pytest.mark.parametrize(("kind", "name", "allowed", "refused"), BOUNDS)
def test_a_setting_has_its_bound(kind, name, allowed, refused):
    found = resolve(kind, NEEDED.get(kind, {}) | {name: allowed}, "")
    assert getattr(found, name) == allowed
    with pytest.raises(ConfigError, match=f"'{name}'"):
        resolve(kind, NEEDED.get(kind, {}) | {name: refused}, "")


def test_without_settings_nothing_is_clipped_decayed_or_stabilised():
    plain = Optimisation()
    assert (plain.optimiser, plain.learning_rate, plain.betas) == ("adamw", 2e-4, (0.5, 0.9))
    assert (plain.weight_decay, plain.clip_norm) == (0, 0)
    assert set(Stabilisers().model_dump().values()) == {0, None}
    train = TrainConfig(steps=1)
    assert (train.decay, train.warmup_steps, train.bf16, train.seed) == ("constant", 0, False, 0)
    assert (train.batch_size, train.ema_decay, train.skips_allowed) == (64, 0.999, 10)
    assert (train.log_every_steps, train.sample_every_steps) == (20, 1000)
    assert (train.save_every_steps, train.save_every_minutes) == (1000, 5.0)
