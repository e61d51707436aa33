"""Where half precision is worth its name: only on devices that have arithmetic for it."""

import torch


def computes_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 itself; emulated, a step takes ten times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)
    return False
