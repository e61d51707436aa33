"""The state of a training as JSON and named tensors, and back to the bit.

>>> value, tensors = split({"step": 3, "betas": (0.5, 0.9), "mean": torch.tensor([2.0])}, "adam")
>>> value
{'dict': [['step', 3], ['betas', {'tuple': [0.5, 0.9]}], ['mean', 'tensor:/mean']]}
>>> join(value, tensors)
{'step': 3, 'betas': (0.5, 0.9), 'mean': tensor([2.])}
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.errors import Resumable

State = Mapping[str, Any]
"""Groups by name: nested dictionaries, lists and tuples of tensors, numbers, strings and None."""

TENSOR = "tensor:"
"""In JSON, a string that starts so stands for the tensor of that name."""


def split(value: Any, group: str) -> tuple[Any, dict[str, Tensor]]:
    """A value as JSON with names for its tensors, and the tensors by those names.

    Raises `Resumable` where a tensor is not finite.
    """
    tensors: dict[str, Tensor] = {}

    def name(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            _refuse(group + path, value, path in tensors)
            tensors[path] = value.detach().cpu().contiguous().clone()
            return TENSOR + path
        if isinstance(value, Mapping):
            return {"dict": [[k, name(v, f"{path}/{k}")] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [name(v, f"{path}/{i}") for i, v in enumerate(value)]}
        return value

    return name(value, ""), tensors


def _refuse(path: str, value: Tensor, taken: bool) -> None:
    if taken:
        raise ValueError(f"two tensors would be stored as {path}")
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise Resumable(
            f"{path} is not finite and is not saved; earlier checkpoints are intact: "
            "lower the learning rate"
        )


def join(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `split`; takes what it uses from `tensors`.

    Raises `LookupError`, `TypeError` or `ValueError` where the two do not belong together.
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
    """Bytes of all the tensors in a state."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(map(size_bytes, state.values()))
    return sum(map(size_bytes, state)) if isinstance(state, list | tuple) else 0
