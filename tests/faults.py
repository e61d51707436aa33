"""Processes that die at a chosen place, and what must be equal afterwards."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def equal(one: Any, other: Any) -> bool:
    """Return True for two states that are equal to the bit, types included."""
    import torch  # processes whose memory is limited import this module

    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def in_a_child(work: Callable[[], None]) -> int:
    """Run `work` in a fork that nothing outlives: minus its signal, or its exit code."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            work()
        except SystemExit as error:
            os._exit(int(error.code or 0))
        except BaseException as error:
            os._exit(getattr(error, "exit_code", 99))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(touch: int, inside: Path) -> None:
    """From now on, end this process at its `touch`-th touch of a file or folder in `inside`."""
    seen = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
            seen[0] += str(inside) in str(arguments) or event in ("os.remove", "os.rmdir")
            if seen[0] == touch:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
