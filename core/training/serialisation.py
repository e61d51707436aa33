"""Serialisation of a training state to JSON and named tensors, and back, exactly.

>>> value, tensors = split({"step": 3, "betas": (0.5, 0.9), "mean": torch.tensor([2.0])}, "adam")
>>> value
{'dict': [['step', 3], ['betas', {'tuple': [0.5, 0.9]}], ['mean', 'tensor:/mean']]}
>>> join(value, tensors)
{'step': 3, 'betas': (0.5, 0.9), 'mean': tensor([2.])}
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.errors import NotFinite

State = Mapping[str, Any]
"""Groups by name: nested dictionaries, lists and tuples of tensors, numbers, strings and None."""

TENSOR = "tensor:"
"""Prefix of a JSON string that stands for the tensor of the name that follows."""


def split(value: Any, group: str) -> tuple[Any, dict[str, Tensor]]:
    """Return a value as JSON with names in place of tensors, and the tensors by name.

    Raises `NotFinite` where a tensor is not finite.
    """
    tensors: dict[str, Tensor] = {}

    def name(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            _require_storable(group + path, value, path in tensors)
            tensors[path] = value.detach().cpu().contiguous().clone()
            return TENSOR + path
        if isinstance(value, Mapping):
            return {"dict": [[k, name(v, f"{path}/{k}")] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [name(v, f"{path}/{i}") for i, v in enumerate(value)]}
        return value

    return name(value, ""), tensors


def _require_storable(path: str, value: Tensor, taken: bool) -> None:
    if taken:
        raise ValueError(f"two tensors would be stored as {path}")
    if value.is_floating_point() and not _is_finite(value):
        raise NotFinite(f"{path} is not finite and is not saved")


def _is_finite(value: Tensor) -> bool:
    """Return whether all numbers are finite.

    The sum is finite only if all are; that of finite ones can overflow.
    """
    return math.isfinite(value.sum()) or bool(torch.isfinite(value).all())


def join(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Invert `split`; removes the tensors that it uses from `tensors`.

    Raises `LookupError`, `TypeError` or `ValueError` where the two do not match.
    """
    if isinstance(value, str) and value.startswith(TENSOR):
        return tensors.pop(value.removeprefix(TENSOR))
    if not isinstance(value, dict):
        return value
    ((kind, entries),) = value.items()
    if kind == "dict":
        return {key: join(entry, tensors) for key, entry in entries}
    joined = [join(entry, tensors) for entry in entries]
    return {"list": list, "tuple": tuple}[kind](joined)


def size_bytes(state: Any) -> int:
    """Return the size of all tensors in a state."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(map(size_bytes, state.values()))
    return sum(map(size_bytes, state)) if isinstance(state, list | tuple) else 0
