"""Freed memory is kept: a second block of the same size needs no new pages."""

import resource
import subprocess
import sys

import pytest
import torch

from core.errors import ConfigError, UserError
from core.training.device import (
    choose_device,
    computes_bf16,
    isolated_random_state,
    keep_freed_memory,
)

FAULTS = """
import resource, sys
import numpy as np
from core.training.device import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
np.ones(1 << 26, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(1 << 26, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    """Count the faults of five blocks of 64 MB, one after the other, behind a first one."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of glibc")
def test_a_freed_block_is_reused():
    pages = 5 * (1 << 26) / resource.getpagesize()
    assert page_faults("kept") < 0.01 * pages


def test_another_systems_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.training.device.sys.platform", "darwin")
    assert not keep_freed_memory()


def test_an_allocator_without_the_call_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    """The allocator of musl is one."""
    monkeypatch.setattr("core.training.device.sys.platform", "linux")
    monkeypatch.setattr("core.training.device.ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_computes_bfloat16_where_it_need_not_emulate_it(
    monkeypatch: pytest.MonkeyPatch, native: bool
):
    def is_supported(including_emulation: bool = True) -> bool:
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert computes_bf16(torch.device("cuda")) == native


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "cpu"), (False, False, "cpu")],
)
def test_auto_is_a_cuda_device_else_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(chosen)
    for name, there in (("cuda:1", cuda), ("mps", mps), ("cpu", True)):
        if there:
            assert choose_device(name) == torch.device(name)
        else:
            with pytest.raises(UserError, match=f"no {name} device here"):
                choose_device(name)
    with pytest.raises(ConfigError, match="'gpu'"):
        choose_device("gpu")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cuda:2", "there is no cuda:2 here: GPUs are cuda:0 to cuda:1"),
        ("cuda:x", "no device is called 'cuda:x'"),
        ("cuda:", "no device is called 'cuda:'"),
    ],
)
def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str, said: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=said):
        choose_device(name)


def test_the_random_state_of_every_gpu_in_use_is_restored(monkeypatch: pytest.MonkeyPatch):
    """A seed is one for all devices, also where what it is for computes on the processor."""
    *gpus, apples = (torch.Generator() for _ in range(3))

    def seed_all(seed: int) -> None:
        for generator in (*gpus, apples):
            generator.manual_seed(seed)

    def set_all(states: list[torch.Tensor]) -> None:
        for generator, state in zip(gpus, states, strict=True):
            generator.set_state(state)

    seed_all(1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [g.get_state() for g in gpus])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", set_all)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seed_all)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", apples.get_state)
    monkeypatch.setattr(torch.mps, "set_rng_state", apples.set_state)
    before = [generator.get_state() for generator in (torch.default_generator, *gpus, apples)]
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(2)
        assert all(generator.initial_seed() == 2 for generator in (*gpus, apples))
    after = [generator.get_state() for generator in (torch.default_generator, *gpus, apples)]
    assert all(map(torch.equal, before, after))
