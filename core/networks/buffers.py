"""Numbers in buffers: a device holds them, and the processor asks for them.

What is read from a device makes the processor wait for all that the device still has to do.
"""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

_read = WeakTensorKeyDictionary()
"""The version of a buffer that was read last, which each change raises, and its number."""


def number_in(buffer: Tensor) -> float:
    """Return the number in a buffer, which is read only where it has changed since.

    >>> import torch
    >>> stage = torch.zeros(())
    >>> number_in(stage), number_in(stage.add_(2))
    (0.0, 2.0)
    """
    version, number = _read.get(buffer) or (-1, 0.0)
    if version != buffer._version:
        number = buffer.item()
        _read[buffer] = buffer._version, number
    return number


def set_number(buffer: Tensor, number: float) -> None:
    """Set the number in a buffer, so that it need not be read."""
    buffer.fill_(number)
    _read[buffer] = buffer._version, buffer.new_tensor(number, device="cpu").item()


@contextlib.contextmanager
def numbers_as_constants(network: nn.Module) -> Iterator[None]:
    """Make buffers whose number was read plain attributes within.

    torch.export replaces the buffers of a network by stand-ins without values.
    """
    held = [
        (module, name, buffer)
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if buffer in _read
    ]
    for module, name, buffer in held:
        delattr(module, name)
        setattr(module, name, buffer)
    try:
        yield
    finally:
        for module, name, buffer in held:
            delattr(module, name)
            module.register_buffer(name, buffer)
