"""A pretended device: its tensors compute on the processor, but refuse those of the processor.

They call themselves `meta`, a device for which torch needs no driver. As on a GPU a tensor of
the processor joins one of the device only where it has no axis, or is copied there; what makes
the processor wait for the device is counted; and as on Apple's there are no real numbers of 64
bits.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

PRETENDED = torch.device("meta")
aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
PACKED = (
    aten._pack_padded_sequence.default,
    aten._pack_padded_sequence_backward.default,
    aten._pad_packed_sequence.default,
)
"""Lengths of sequences are on the processor, whatever device they are on."""
JOINING = (aten.cat.default, aten.stack.default)
"""They take no number of the processor, though it has no axis."""
WIDE = (torch.float64, torch.complex128)
"""Kinds of numbers that Apple's GPU lacks; a test that compares numbers may have them."""
refused: list[torch.dtype] = []
INDEXED = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default)
WAITS = {
    aten._local_scalar_dense.default: "a number is read",
    aten.nonzero.default: "a shape depends on values",
    aten.masked_select.default: "a shape depends on values",
    aten.is_nonzero.default: "a number is read",
    aten.unique_consecutive.default: "a shape depends on values",
    aten._unique2.default: "a shape depends on values",
    aten.bincount.default: "a shape depends on values",
}


class There(Tensor):
    """A tensor on the pretended device, with its values in `here`."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=PRETENDED,
            requires_grad=False,
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"There({tuple(self.shape)})"

    def tolist(self) -> Any:
        """Read it: torch does this for tensors of no other class than its own."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return compute(func, args, dict(kwargs or {}))


class Mixed(Exception):
    """A tensor of the processor meets one of the device."""


class Wide(Exception):
    """Real numbers of 64 bits are computed on the device."""


COPIED = "an index is copied to the device"
SENT = "values are copied to the device"
waits: Counter[str] = Counter()
"""The calls that made the processor wait, since it was cleared."""


def reads() -> int:
    """Count the waits until the device has finished: it is read, or a shape depends on it."""
    return waits.total() - copies()


def copies() -> int:
    """Count the copies to the device: each waits for what the device was given before it."""
    return waits[COPIED] + waits[SENT]


def compute(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Compute on the processor what is asked for on the device."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    to = kwargs.get("device")
    leaves = to is not None and torch.device(to).type != PRETENDED.type
    _count(func, args, kwargs, leaves, to is not None and not leaves)
    _refuse_mixed(func, args, kwargs)
    if to is not None:
        kwargs["device"] = torch.device("cpu")
    inside = tree_map(lambda one: one.here if isinstance(one, There) else one, (args, kwargs))
    found = func(*inside[0], **inside[1])
    known = {id(one.here): one for one in tensors if isinstance(one, There)}
    plain = {id(one) for one in tensors if not isinstance(one, There)}
    if leaves or (to is None and not known):
        return found
    if func is PACKED[0]:
        return There(found[0]), found[1]
    if any(isinstance(one, Tensor) and one.dtype in refused for one in tree_leaves(found)):
        raise Wide(f"{func}: {found}")
    return tree_map(lambda one: _there(one, known, plain), found)


def _count(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], leaves: bool, comes: bool
) -> None:
    """Count what makes the processor wait: of copies to the device those that are to be waited
    for."""
    source = args[0] if comes and func is COPIES[0] else args[1] if func is COPIES[1] else None
    into = comes or (func is COPIES[1] and isinstance(args[0], There))
    into = into and not kwargs.get("non_blocking")
    waits[SENT] += into and isinstance(source, Tensor) and not isinstance(source, There)
    if leaves or (func is aten.copy_.default and not isinstance(args[0], There)):
        waits["values are copied to the processor"] += 1
    if func in WAITS:
        waits[WAITS[func]] += 1
    if func in INDEXED:
        indices = [index for index in args[1] if isinstance(index, Tensor)]
        waits["a shape depends on values"] += any(i.dtype is torch.bool for i in indices)
        waits[COPIED] += not all(isinstance(index, There) for index in indices)


def _refuse_mixed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Raise `Mixed` where a tensor of the processor joins others; an index may be one."""
    if func in (*COPIES, *PACKED):
        return
    joining = [args[0], *args[2:]] if func in INDEXED else [*args]
    leaves = [leaf for leaf in tree_leaves((joining, kwargs)) if isinstance(leaf, Tensor)]
    least = 0 if func in JOINING and any(isinstance(one, There) for one in leaves) else 1
    shapes = [
        tuple(one.shape) for one in leaves if one.ndim >= least and not isinstance(one, There)
    ]
    if shapes:
        raise Mixed(f"{func}: {shapes} on the processor")


def _there(one: Any, known: dict[int, There], plain: set[int]) -> Any:
    """Wrap what was computed; what was changed in place stays the tensor that it was."""
    if not isinstance(one, Tensor) or id(one) in plain:
        return one
    return known[id(one)] if id(one) in known else There(one)


class Pretending(TorchDispatchMode):
    """Catches what is made on the device, or copied there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        to = options.get("device")
        tensors = [leaf for leaf in tree_leaves((args, options)) if isinstance(leaf, Tensor)]
        wanted = to is not None and torch.device(to).type == PRETENDED.type
        if wanted or any(isinstance(one, There) for one in tensors):
            return compute(func, args, options)
        return func(*args, **options)


def step_first(recurrent: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """Give a recurrent layer its sequences step by step: torch turns its output in place else."""

    def call(x: Tensor, *others: Any) -> tuple[Tensor, ...]:
        *settings, batch_first = others
        if isinstance(settings[0], Tensor) and not settings[0].is_floating_point():
            return recurrent(x, *others)  # packed
        read = x.transpose(0, 1) if batch_first else x
        states, *last = recurrent(read, *settings, False)
        return states.transpose(0, 1) if batch_first else states, *last

    return call


def transformed(stft: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give a transform what is inside, and wrap its output: torch turns that in place else."""

    def call(*args: Any, **kwargs: Any) -> Tensor:
        leaves = tree_leaves((args, kwargs))
        args, kwargs = tree_map(
            lambda one: one.here if isinstance(one, There) else one, (args, kwargs)
        )
        found = stft(*args, **kwargs)
        return There(found) if any(isinstance(one, There) for one in leaves) else found

    return call


@contextlib.contextmanager
def pretended_device(wide: bool = False) -> Iterator[torch.device]:
    """Yield the device; while entered, it can be used. `wide`: it has numbers of 64 bits."""
    autocast, tensor = torch.autocast, torch.tensor

    def filled(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        """Create a tensor here, and copy it there: torch leaves those of `meta` empty."""
        return tensor(data, *args, **kwargs).to(device or "cpu")

    def without(device: str, *args: Any, **kwargs: Any) -> torch.autocast:
        pretended = device == PRETENDED.type
        return autocast("cpu", enabled=False) if pretended else autocast(device, *args, **kwargs)

    waits.clear()
    refused[:] = () if wide else WIDE
    with pytest.MonkeyPatch.context() as patch, Pretending():
        patch.setattr(torch, "autocast", without)
        patch.setattr(torch, "tensor", filled)
        patch.setattr(torch, "stft", transformed(torch.stft))
        patch.setattr(torch, "inference_mode", torch.no_grad)  # its tensors cannot be wrapped
        for recurrent in ("gru", "lstm"):
            call = step_first(getattr(torch, recurrent))
            patch.setattr(torch, recurrent, call)
            patch.setattr(torch._VF, recurrent, call)
        yield PRETENDED
