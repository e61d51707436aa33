"""Errors that are shown to the user: one sentence each, and an exit code."""

from typing import ClassVar


class UserError(Exception):
    """One clear sentence for the user: what is wrong, where, and what to do. No traceback.

    `printed_by_first`: it is one of several processes, of which the first prints it.
    `while_joined`: it came while they worked together, so that the others end because of it.
    """

    exit_code: ClassVar[int] = 1
    printed_by_first: bool = False
    while_joined: bool = False


class ConfigError(UserError):
    """Wrong usage or configuration."""

    exit_code: ClassVar[int] = 2


class Resumable(UserError):
    """Stopped early without loss: the same command resumes."""

    exit_code: ClassVar[int] = 3


class Stopped(Resumable):
    """Stopped because the caller asked for it; the last finished step is saved."""


class NotFinite(Resumable):
    """Losses or weights that are not finite; what was saved before is."""
