"""Forks of a test that train together, as processes that torchrun starts do."""

import os
import signal
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.overrides import TorchFunctionMode

from core.theory.passes import Batch

Work = Callable[[int], object]
"""The work of the process of this number."""

SECONDS = 20.0
"""Longest wait of a process for another in a test that waits for none."""


def together(folder: Path, work: Work, count: int = 2, seconds: float = SECONDS) -> list[int]:
    """Let `count` forks do this work; return their exit codes, or minus their signals.

    What a process raises is in `folder`/NUMBER.txt. They meet at a file.
    """
    meeting = folder / "meeting"
    children = [_fork(folder, meeting, work, number, count, seconds) for number in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    meeting.unlink(missing_ok=True)
    return codes


def _fork(folder: Path, meeting: Path, work: Work, number: int, count: int, seconds: float) -> int:
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        signal.alarm(120)  # nothing outlives a test for long
        os.environ |= {"RANK": str(number), "WORLD_SIZE": str(count), "GLOO_SOCKET_IFNAME": "lo"}
        distributed.init_process_group(
            "gloo",
            init_method=f"file://{meeting}",
            rank=number,
            world_size=count,
            timeout=timedelta(seconds=seconds),
        )
        work(number)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException as error:
        (folder / f"{number}.txt").write_text(f"{traceback.format_exc()}\n{error}")
        code = getattr(error, "exit_code", 99)
    os._exit(code)


class WholeBatch(TorchFunctionMode):
    """Draws noise for the rows of a whole batch, of which a process uses those of its part.

    Processes that share a batch then see the numbers that one process sees.
    """

    NORMAL, UNIFORM = (torch.randn, torch.randn_like), (torch.rand, torch.rand_like)

    def __init__(self, rows: int, part: range) -> None:
        super().__init__()
        self.rows, self.part, self.calls = rows, part, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        if func not in (*self.NORMAL, *self.UNIFORM) or "generator" in options:
            return func(*args, **options)
        shape = _shape(args)
        if not shape or shape[0] != len(self.part):
            return func(*args, **options)
        self.calls += 1
        generator = torch.Generator().manual_seed(self.calls)
        draw = torch.randn if func in self.NORMAL else torch.rand
        whole = draw(self.rows, *shape[1:], generator=generator)
        return whole[self.part.start : self.part.stop]


def _shape(given: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of what is drawn: that of a tensor, or one in one argument or in several."""
    if isinstance(given[0], torch.Tensor):
        return tuple(given[0].shape)
    return tuple(given[0]) if isinstance(given[0], tuple) else given


def first_rows(batch: Batch, count: int) -> Batch:
    """The first samples of a batch."""
    c, other = (None if part is None else part[:count] for part in (batch.c, batch.other))
    return Batch(batch.x[:count], c, other)
