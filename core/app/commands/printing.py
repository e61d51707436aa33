"""Paths, reports and configurations that commands print, for people or as JSON for programs."""

import codecs
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from typer import Exit

BY_BYTES = "pianoreel.by_bytes"
"""The name of `_by_bytes` among ways to treat letters that cannot be encoded."""


def open_streams() -> None:
    """Have standard streams that are closed, as those of a service, lead nowhere.

    The next files that are opened would take their numbers, and what is printed. What the encoding
    of stdout lacks is printed as in names of files, which need not be UTF-8.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, TextIOWrapper):
        codecs.register_error(BY_BYTES, _by_bytes)
        sys.stdout.reconfigure(errors=BY_BYTES)


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Print what is within to the last letter: `OSError` where stdout is full or nobody reads it.

    Otherwise Python would try once more as it ends, and say so in words of its own. An error from
    within is more than that of stdout.
    """
    try:
        yield
    except Exit:
        _flush()
        raise
    except BaseException:
        with contextlib.suppress(OSError):
            _flush()
        raise
    _flush()


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)  # for the letters that still wait
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise


def _by_bytes(error: UnicodeError) -> tuple[bytes, int]:
    """Return the bytes of letters that an encoding lacks; ? for those that names lack, too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return b"".join(map(_bytes_of, letters)), error.end


def _bytes_of(letter: str) -> bytes:
    try:
        return os.fsencode(letter)
    except UnicodeEncodeError:
        return b"?"


def print_json(report: Any) -> None:
    """Print a report of plain values as JSON."""
    import json

    print(json.dumps(report, indent=1, allow_nan=False))


def print_paths(paths: Iterable[Path], as_json: bool = False) -> None:
    """Print each path as soon as its file is written; as JSON all of them at the end."""
    if as_json:
        print_json({"paths": [str(path) for path in paths]})
        return
    for path in paths:
        print(path)


COUNTS = ("sources", "kept", "pieces", "rejects", "skipped")
"""Counts of a preparation that are printed as JSON, those that its summary has."""


def counts_of(summary: Any) -> dict[str, Any]:
    """Return the counts of a preparation, and the lines that say them in words."""
    counts = {name: getattr(summary, name) for name in COUNTS if hasattr(summary, name)}
    return {**counts, "lines": list(summary.lines)}


def print_config(config: Any) -> None:
    """Print a configuration as YAML, as a run keeps it."""
    import yaml

    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
