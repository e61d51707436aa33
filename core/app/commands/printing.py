"""Paths, reports and configurations that commands print, for people or as JSON for programs."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def open_streams() -> None:
    """Have standard streams that are closed, as those of a service, lead nowhere.

    The next files that are opened would take their numbers, and what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


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
