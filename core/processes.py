"""Several processes that train one run, each on its part of every batch; one alone by default.

torchrun starts them. All take the same steps: gradients and losses are added up over the
processes in one flat reduction after the backward passes, so that a penalty, which is a backward
inside of a backward, is counted once and whole (Karras et al., StyleGAN3, 2021, do the same). What
needs a decision or a file is done by process 0 and sent to the others. What compares the samples
of a batch gathers those of all processes.

Every function here is the identity, or does its work alone, where there is one process.
"""

import contextlib
import contextvars
import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, distributed, nn

from core import launch
from core.errors import ConfigError, Resumable, UserError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Rows = TypeVar("Rows", bound=Sequence[Any])

WAIT_SECONDS = 1800.0
"""Longest time for which a process waits for the others, unless $PIANOREEL_WAIT_SECONDS is set."""

_alone = contextvars.ContextVar("alone", default=False)


class ProcessLost(Resumable):
    """Another process ended or does not answer."""


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, while entered.

    `UserError` where they do not find each other in time. A group that is there already is used.
    """
    if launch.process_count() == 1 or distributed.is_initialized():
        yield
        return
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"several processes cannot share {device}: use --device cpu")
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    own = device if device.type == "cuda" else None
    try:
        distributed.init_process_group(backend, timeout=_longest_wait(), device_id=own)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the {launch.process_count()} processes did not find each other: check the address "
            f"and the number of machines that torchrun was given ({_first_line(error)})"
        ) from error
    try:
        yield
    except UserError as error:
        error.while_joined = True
        raise
    finally:
        distributed.destroy_process_group()


def _longest_wait() -> timedelta:
    given = os.environ.get("PIANOREEL_WAIT_SECONDS", WAIT_SECONDS)
    try:
        return timedelta(seconds=float(given))
    except ValueError as error:
        raise ConfigError(f"PIANOREEL_WAIT_SECONDS is a number, and not '{given}'") from error


def _first_line(error: BaseException) -> str:
    """Return what an error says first, without the place in torch's source."""
    return re.sub(r"^\[.*?\] ", "", str(error).partition("\n")[0])


def count() -> int:
    """Return the number of processes that train this run together."""
    return distributed.get_world_size() if _is_joined() else 1


def number() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if _is_joined() else 0


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized() and not _alone.get()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Do what is within without the other processes."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Raise `ProcessLost` where the others do not take part."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLost(
            "another process of this training has ended or does not answer; what is saved is "
            f"intact, and the same command resumes ({_first_line(error)})"
        ) from error


def by_first(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let process 0 alone do this work: all return its result, or raise its `UserError`."""

    @functools.wraps(work)
    def call(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        if count() == 1:
            return work(*arguments, **options)
        answer: list[Any] = [None, None]
        if number() == 0:
            with alone():
                try:
                    answer[0] = work(*arguments, **options)
                except UserError as error:
                    answer[1] = error
        with _answered():
            distributed.broadcast_object_list(answer)
        result, error = answer
        if error is not None:
            error.printed_by_first = number() > 0
            raise error
        return result

    return call


def require_equal(values: Any, difference: Callable[[Any, Any], str]) -> None:
    """Raise `ConfigError` unless all processes have the same values; it says what differs."""
    if count() == 1:
        return
    every: list[Any] = [None] * count()
    with _answered():
        distributed.all_gather_object(every, values)
    for process, others in enumerate(every):
        if others != every[0]:
            raise ConfigError(
                f"process {process} has {difference(every[0], others)} than process 0: start all "
                "with the same command and the same data"
            )


def share(networks: nn.Module) -> None:
    """Give all processes the weights and buffers of process 0."""
    if count() > 1:
        with _answered():
            for tensor in networks.state_dict().values():
                distributed.broadcast(tensor, 0)


def largest(value: float) -> float:
    """Return the largest of the processes' values."""
    if count() == 1:
        return value
    values = torch.tensor([value], dtype=torch.float64)
    with _answered():
        distributed.all_reduce(values, distributed.ReduceOp.MAX)
    return values.item()


def total(values: Tensor) -> Tensor:
    """Return the sum over the processes, on each of them the same to the bit."""
    if count() == 1:
        return values
    summed = values.contiguous().clone()
    with _answered():
        distributed.all_reduce(summed)
    return summed


def add_up(parameters: Sequence[nn.Parameter], losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add gradients up over the processes, in place; return the sums of the losses.

    A parameter that has a gradient on some process has one on all of them afterwards.
    """
    if count() == 1:
        return losses
    has = torch.tensor([float(p.grad is not None) for p in parameters])
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = [part.flatten().float() for part in (*parts, *losses.values())]
    device = flat[-1].device if flat else has.device
    summed = total(torch.cat([*flat, has.to(device)]))
    sizes = [len(one) for one in flat]
    *sums, has = summed.split([*sizes, len(has)])
    for parameter, gradient, present in zip(parameters, sums, has.tolist(), strict=False):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if present else None
    values = sums[len(parameters) :]
    return {name: value[0] for name, value in zip(losses, values, strict=True)}


def agreed(tensor: Tensor) -> Tensor:
    """Return the tensor of process 0, of the same shape on all."""
    if count() == 1:
        return tensor
    first = tensor.contiguous().clone()
    with _answered():
        distributed.broadcast(first, 0)
    return first


def gathered(own: Tensor) -> Tensor:
    """Return the rows of all processes, in their order; differentiable in one's own.

    A gradient that reaches them is that of a loss of all rows, which each process computes. As
    losses are weighted by the share of a process before they are added up, it is divided by it.
    """
    return own if count() == 1 else _Gathered.apply(own)


class _Gathered(torch.autograd.Function):
    """Gather rows, of which processes may have more or fewer."""

    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        sizes = torch.zeros(count(), dtype=torch.long)
        sizes[number()] = len(own)
        rows = [int(n) for n in total(sizes)]
        padded = own.new_zeros(max(rows), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in rows]
        with _answered():
            distributed.all_gather(parts, padded)
        context.begin, context.rows = sum(rows[: number()]), rows
        return torch.cat([part[:n] for part, n in zip(parts, rows, strict=True)])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        rows = context.rows
        own = rows[number()]
        return gradients[0][context.begin : context.begin + own] * (sum(rows) / own)


def own_part(rows: Rows) -> Rows:
    """Return this process's part of the rows of a batch, cut as `torch.tensor_split` does."""
    size, longer = divmod(len(rows), count())
    begin = number() * size + min(number(), longer)
    return rows[begin : begin + size + (number() < longer)]  # type: ignore[return-value]
