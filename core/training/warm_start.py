"""Begin a new run with the weights of another, whose networks may have been smaller."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from core.errors import UserError
from core.theory.passes import TEACHER, Networks
from core.training.run import CONFIG, Run

Config = TypeVar("Config")

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that may be wider than those they begin with."""


def start_from(run: Run, config: Config, build: Callable[[Config], Networks]) -> Networks:
    """Build networks that begin with a run's best EMA weights.

    Weights of the same name and shape are taken over, and linear layers and convolutions that
    are wider begin as they were, see `widened`. Critics and whatever else differs begin anew, with
    the single numbers beside it, such as whether a first batch has initialised it. A teacher
    begins, and stays, as the decoder does. `UserError` where no shape is the same.
    """
    networks = build(config)
    own, stored = networks.state_dict(), run.read_best(lambda best: best.group("ema"))
    if TEACHER in networks:
        stored |= {n.replace("decoder", TEACHER, 1): stored[n] for n in stored if _is_decoders(n)}
    known = {name: value for name, value in stored.items() if name in own}
    same = {name: value for name, value in known.items() if own[name].shape == value.shape}
    partly = {_module(name) for name in own if name not in same}
    same = {n: value for n, value in same.items() if value.ndim or _module(n) not in partly}
    if not same:
        raise UserError(
            f"no weights of {run.folder} fit this model: start from a run of the same --model "
            f"and --preset, or take its settings by --config {run.folder / CONFIG}"
        )
    wider = {
        name: widened(own[name], value)
        for name, value in known.items()
        if name not in same and _may_widen(networks, name, own[name], value)
    }
    networks.load_state_dict(same | wider, strict=False)
    return networks


def _is_decoders(name: str) -> bool:
    return name.startswith("decoder.")


def _module(name: str) -> str:
    """Return the name of the module that has this weight."""
    return name.rpartition(".")[0]


def _may_widen(networks: Networks, name: str, new: Tensor, old: Tensor) -> bool:
    layer = networks.get_submodule(_module(name))
    longer = all(a >= b for a, b in zip(new.shape, old.shape, strict=False))
    return isinstance(layer, LAYERS) and new.ndim == old.ndim and longer


def widened(new: Tensor, old: Tensor) -> Tensor:
    """Return weights [output *input] with the old ones first, which new inputs do not change.

    The weights of old outputs for new inputs are 0 and new outputs keep their own, so that what
    was computed before is computed still (Chen, Goodfellow and Shlens, Net2Net, ICLR 2016, whose
    new units are copies of old ones instead).

    >>> import torch
    >>> widened(torch.ones(2, 3), torch.tensor([[5.0, 6.0]])).tolist()
    [[5.0, 6.0, 0.0], [1.0, 1.0, 1.0]]
    """
    wide = new.clone()
    wide[: len(old)] = 0
    wide[tuple(slice(length) for length in old.shape)] = old.to(new.dtype)
    return wide
