"""The device of a training: its choice, bfloat16, random state and memory allocation.

glibc returns freed blocks of more than 32 MB to the system and faults them in anew, page by page,
at every step: on a CPU a tenth to a fifth of the time of a step (`benchmarks/train.py`).
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from core.config import MAX_SEED
from core.errors import ConfigError, UserError
from core.launch import number_on_machine, process_count


def computes_bf16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 matrices faster than single precision.

    A CPU does with AMX tiles. AVX512_BF16 alone makes a training step 1.4 to 1.56 times as long,
    emulation ten times as long.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))


RandomState = tuple[Tensor, list[Tensor], Tensor | None]
"""torch's global random state of the CPU, of every CUDA device, and of Apple's GPU, where used."""


def random_state(device: torch.device) -> RandomState:
    """Return torch's global random state, of the CPU, of `device` and of all devices in use.

    A seed is one for all of them: whoever seeds the CPU seeds the devices too.
    """
    in_use = device.type == "cuda" or torch.cuda.is_initialized()
    of_cuda = torch.cuda.get_rng_state_all() if in_use else []
    of_apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    return torch.get_rng_state(), of_cuda, of_apple


def set_random_state(state: RandomState) -> None:
    """Set torch's global random state to what `random_state` returned."""
    here, of_cuda, of_apple = state
    torch.set_rng_state(here)
    if of_cuda:
        torch.cuda.set_rng_state_all(of_cuda)
    if of_apple is not None:
        torch.mps.set_rng_state(of_apple)


@contextlib.contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's global random state, of the CPU and of the devices in use, on leaving."""
    before = random_state(device)
    try:
        yield
    finally:
        set_random_state(before)


def seed_part(seed: int, number: int, process: int = 0) -> None:
    """Seed torch's global generator for part `number` of what `seed` decides.

    `process`: of several that draw numbers of their own; the first draws those of one alone. Every
    generator in use is seeded; `torch.manual_seed` also formats the stack thrice, for devices that
    may never be.
    """
    own = (seed * 1_000_003 + number + process * 2**40) % (MAX_SEED + 1)
    torch.default_generator.manual_seed(own)
    torch.mps.manual_seed(own)  # does nothing where there is none
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(own)


LARGEST_REUSED_BYTES = 1 << 30
"""Largest block that is allocated from the heap, and reused once freed."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory for reuse; return whether the allocator supports it."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    accepted = (
        mallopt(_M_MMAP_THRESHOLD, LARGEST_REUSED_BYTES),
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1),
    )
    return all(accepted)


def choose_device(name: str) -> torch.device:
    """Return the device of this name; "auto" is a CUDA device, else the CPU.

    Apple's GPU, "mps", has to be named: nothing was tested there. Of several processes on a
    machine each has a CUDA device of its own.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"
    if name.split(":")[0] not in available:
        raise ConfigError(f"no device is called '{name}': choose auto, cpu, cuda or mps")
    if not available[name.split(":")[0]]:
        raise UserError(f"there is no {name} device here: use --device cpu")
    return _numbered(_own_gpu() if name == "cuda" and process_count() > 1 else name)


def _numbered(name: str) -> torch.device:
    """Return a device with or without a number; `UserError` where there is none of it."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device is called '{name}': a GPU has a number, cuda:0") from error
    if device.type == "cuda" and (device.index or 0) >= (there := torch.cuda.device_count()):
        raise UserError(f"there is no {name} here: GPUs are cuda:0 to cuda:{there - 1}")
    return device


def _own_gpu() -> str:
    """Return the name of the GPU of this process, one of several on the machine."""
    there, number = torch.cuda.device_count(), number_on_machine()
    if number >= there:
        raise UserError(
            f"there are more processes than GPUs on this machine: --nproc_per_node {there}"
        )
    return f"cuda:{number}"
