"""The device of a run: which one, whether it multiplies bfloat16, and how it keeps memory.

glibc hands blocks of more than 32 MB back to the system and asks for them anew, page by page, at
every step: on a CPU that took a tenth to a fifth of a step of clips (`benchmarks/train.py`).
"""

import ctypes
import sys

import torch

from core.errors import ConfigError, UserError


def computes_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 itself; emulated, a step takes ten times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)
    return False


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
