"""The device of a run: which one, whether it multiplies bfloat16, and how it keeps memory.

glibc hands blocks of more than 32 MB back to the system and asks for them anew, page by page, at
every step: on a CPU that took a tenth to a fifth of a step of clips (`benchmarks/train.py`).
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

import torch

from core.errors import ConfigError, UserError


def computes_bf16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 matrices faster than single precision.

    A CPU does with AMX tiles. AVX512_BF16 alone makes a training step 1.4 to 1.56 times as long,
    emulation ten times as long.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))


@contextlib.contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's global random state, of the CPU and of `device`, on leaving."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


LARGEST_KEPT_BYTES = 1 << 30
"""Of one block. All of it comes from what the process already has, once it has had it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory() -> bool:
    """Tell the allocator to keep what is freed; False where it is none that can be told."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    told = (
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES),
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1),
    )
    return all(told)


def choose_device(name: str) -> torch.device:
    """auto: a CUDA device where there is one, then Apple's, then the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name.split(":")[0] not in available:
        raise ConfigError(f"no device is called '{name}': there are auto, cpu, cuda, mps")
    if not available[name.split(":")[0]]:
        raise UserError(f"there is no {name} device here: use --device cpu")
    return torch.device(name)
