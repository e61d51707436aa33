"""Batches that do not fit into memory go in parts, or the setting to lower is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import UserError
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.theory.passes import Batch
from core.training import memory
from core.training.checkpoint import Checkpoint, save_checkpoint
from core.training.memory import is_out_of_memory, split
from core.training.optimisation import Optimisation
from core.training.stabilisers import Stabilisers
from core.training.step import TrainState, step

SAMPLES = 16
TOO_MUCH = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def refuse_more_than(most: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """A hook of a layer that cannot take more than `most` samples at once."""

    def refuse(layer: nn.Module, given: tuple[Any, ...]) -> None:
        if len(given[0]) > most:
            raise TOO_MUCH

    return refuse


def trained(name: str, most: int = SAMPLES, **stabilisers: int) -> tuple[TrainState, list[float]]:
    """A step where no layer can take more than `most` samples at once; and its losses."""
    torch.manual_seed(1)
    parts, settings = recipe(name), Optimisation(learning_rate=1e-9)
    networks = Stabilisers.model_validate(stabilisers).fit(ring.networks(parts))
    state = TrainState(networks, parts, settings, settings)
    for layer in (one for one in networks.modules() if isinstance(one, nn.Linear)):
        layer.register_forward_pre_hook(refuse_more_than(most))
    losses = step(state, lambda number: ring.batch(number, SAMPLES), 0, seed=3)
    return state, list(losses.values())


@pytest.mark.parametrize("name", ["ae", "vae", "gan", "realnvp"])
def test_parts_of_a_batch_are_as_the_whole(name, caplog):
    """Losses and gradients, a critic's and a learner's, agree to 1e-5.

    The parts draw their random numbers one after the other: here, from sixteen on, the same.
    """
    whole, losses = trained(name)
    assert whole.parts.count == 1 and caplog.text == ""
    state, in_parts = trained(name, most=8)
    assert state.parts.count == 2
    assert "a batch of 16 does not fit into memory: it is trained on in 2 parts" in caplog.text
    torch.testing.assert_close(torch.tensor(in_parts), torch.tensor(losses), atol=1e-5, rtol=1e-5)
    gradients = [[p.grad for p in one.networks.parameters()] for one in (whole, state)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)
    assert any(one is not None and one.abs().max() > 1e-3 for one in gradients[0])


def test_a_pool_keeps_nothing_of_an_attempt_that_did_not_fit():
    """Its samples arrive before the critic sees them; those of the parts come in their place."""
    kept = []
    for parts in (1, 2):
        torch.manual_seed(1)
        gan, settings = recipe("gan"), Optimisation()
        state = TrainState(ring.networks(gan), gan, settings, settings, pool=SAMPLES)
        state.parts.count = parts
        state.networks["critic_x"].register_forward_pre_hook(refuse_more_than(8))
        step(state, lambda number: ring.batch(number, SAMPLES), 0, seed=3)
        kept.append(state.pools["critic_x"].kept[0])
    assert len(kept[0]) == SAMPLES and torch.equal(*kept)


@pytest.mark.parametrize(
    ("name", "stabilisers"),
    [("vq_vae", {}), ("glow", {}), ("gan", {"spectral_norm": True})],
)
def test_nothing_stays_of_an_attempt_that_ran_out_of_memory_in_its_backward(name, stabilisers):
    """Codes, scales that a first batch initialises and power iterations are as of parts alone."""
    weights = []
    for failures in ([TOO_MUCH], []):
        torch.manual_seed(1)
        parts, settings = recipe(name), Optimisation()
        networks = Stabilisers.model_validate(stabilisers).fit(ring.networks(parts))
        state = TrainState(networks, parts, settings, settings)
        state.parts.count = 1 if failures else 2
        first = next(one for one in networks.parameters() if one.requires_grad)

        def fail(gradient: torch.Tensor, left: list[torch.OutOfMemoryError] = failures) -> None:
            if left:
                raise left.pop()

        first.register_hook(fail)
        step(state, lambda number: ring.batch(number, SAMPLES), 0, seed=3)
        assert state.parts.count == 2 and not failures
        weights.append(networks.state_dict())
    torch.testing.assert_close(*weights, atol=0, rtol=0)


def test_parts_are_halved_until_they_fit():
    state, _ = trained("ae", most=2)
    assert state.parts.count == 8


def test_the_random_state_of_the_parts_is_that_of_the_device_of_the_networks(monkeypatch):
    """A batch may be on the processor, where its notes are counted."""
    devices, networks = [], nn.ModuleDict({"density": nn.Linear(1, 1, device="meta")})
    monkeypatch.setattr(memory, "random_state", lambda device: devices.append(device.type))
    memory.Parts(networks).add_up(Batch(torch.zeros(2, 1)), [], lambda part, share: {})
    assert devices == ["meta"]


def test_a_resumed_run_has_the_parts_that_it_had(tmp_path):
    """Else it would add up in another order than an unbroken run."""
    state, _ = trained("ae", most=4)
    save_checkpoint(tmp_path / "step-1", state.state(), {"step": 1, **state.facts()})
    resumed, _ = trained("ae")
    assert resumed.facts() == {}
    resumed.load(Checkpoint.open(tmp_path / "step-1"))
    assert resumed.parts.count == 4
    step(resumed, lambda number: ring.batch(number, 3), 1, seed=3)  # fewer samples than parts


def test_a_single_sample_that_does_not_fit_asks_for_a_smaller_model():
    with pytest.raises(UserError, match=r"single sample needs more memory .* a smaller --preset"):
        trained("ae", most=0)


@pytest.mark.parametrize(
    ("name", "stabilisers", "whole"),
    [
        ("gmmn", {}, "the loss match_x"),
        ("gan", {"minibatch_discrimination": 2}, "MinibatchDiscrimination"),
    ],
)
def test_what_sees_a_whole_batch_asks_for_a_smaller_one(name, stabilisers, whole):
    sentence = rf"{whole} sees a whole batch, .* lower train.batch_size \(--set train.batch_size=N"
    with pytest.raises(UserError, match=sentence):
        trained(name, 8, **stabilisers)


@pytest.mark.parametrize(
    "text",
    [
        "MPS backend out of memory (MPS allocated: 17.9 GB, max allowed: 18.1 GB).",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_every_device_says_that_memory_does_not_suffice(text: str):
    assert is_out_of_memory(RuntimeError(text))


def test_an_error_of_another_kind_is_none_of_memory():
    for text in ("the size of tensor a (3) must match", "memory format option is not supported"):
        assert not is_out_of_memory(RuntimeError(text))
    with pytest.raises(RuntimeError, match="can't allocate memory") as refused:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)


def test_the_columns_of_a_batch_are_cut_together():
    x = torch.arange(5)
    first, second = split(Batch(x, c=10 * x, other=None), 2)
    assert (first.x.tolist(), first.c is not None and first.c.tolist()) == ([0, 1, 2], [0, 10, 20])
    assert (second.x.tolist(), second.other) == ([3, 4], None)


def test_what_belongs_to_samples_is_cut_with_them():
    novel = Batch(torch.arange(5) + 20, group=torch.arange(5) + 30)
    _, second = split(Batch(torch.arange(5), novel=novel), 2)
    assert second.novel is not None and second.novel.group is not None
    assert (second.novel.x.tolist(), second.novel.group.tolist()) == ([23, 24], [33, 34])
    assert second.group is None
