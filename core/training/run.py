"""A run is a folder that explains itself.

config.yaml       all that is needed to repeat it
metrics.jsonl     one line a logged step
samples/          what it made while it trained
checkpoints/      step-00001000/ ..., the newest few, and the best under best/
.lock             while a command works in it
"""

import contextlib
import json
import logging
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import yaml
from torch import nn

from core.app.doctor import versions
from core.errors import ConfigError, UserError
from core.files import locked, require_space, write_text
from core.training.checkpoint import (
    Checkpoint,
    Corrupt,
    checkpoints,
    first_whole,
    recover,
    resumable,
    save_checkpoint,
    step_of,
)
from core.training.serialisation import State
from core.yaml_files import read_yaml

LOG = logging.getLogger("pianoreel")

KEPT = 2
"""How many of the newest checkpoints stay, besides the best."""


class Run:
    """A run's folder. `open` it to train (it is locked), `read` it to sample."""

    def __init__(self, folder: Path, config: dict[str, Any]):
        self.folder, self.config = folder, config
        self._held = contextlib.ExitStack()

    @classmethod
    def open(
        cls,
        folder: Path,
        config: Mapping[str, Any],
        changeable: Sequence[str] = (),
        complete: Callable[[dict[str, Any]], Mapping[str, Any]] = dict,
    ) -> "Run":
        """Create the folder, or go on in it: then `config` must be the one that it holds.

        `changeable`: keys, as a.b, that may differ (the budget, how often to save). `complete`:
        gives what an earlier version wrote the settings that have come since. Raises
        `ConfigError` with the fields that changed, `UserError` where another command works in it
        or it cannot be written. What a killed command left half done is cleared up.
        """
        run = cls(folder, dict(config))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as held:
                held.enter_context(locked(folder))
                run._begin(changeable, complete)
                run._held = held.pop_all()
        except OSError as error:
            raise UserError(f"cannot work in {folder}: {error.strerror}") from error
        return run

    def _begin(
        self,
        changeable: Sequence[str],
        complete: Callable[[dict[str, Any]], Mapping[str, Any]],
    ) -> None:
        path = self.folder / "config.yaml"
        if path.exists():
            stored = complete(read_yaml(path))
            _refuse_changes(self.folder, stored, self.config, changeable)
            _warn_of_other_parts(path)
        write_text(path, _explained(self.config))
        recover(self.checkpoints)

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """A run to sample from; `UserError` where the folder is none."""
        path = folder / "config.yaml"
        if not path.is_file():
            raise UserError(f"{folder} is no run: it has no config.yaml")
        return cls(folder, read_yaml(path))

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line to metrics.jsonl; a value that is not finite is null, as JSON has it."""
        finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
        path = self.folder / "metrics.jsonl"
        with resumable(f"write to {path}"), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **finite}) + "\n")

    def logged(self, step: int) -> list[dict[str, Any]]:
        """Return what metrics.jsonl holds of `step`, line by line."""
        return [json.loads(line) for line in self._log_lines() if _logged_step(line) == step]

    def _log_lines(self) -> list[str]:
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)

    def forget_after(self, step: int) -> None:
        """Drop log lines and (damaged) checkpoints after `step`: a resumed run makes them anew.

        Of the others those go that a kill has left beyond the newest.
        """
        for folder in checkpoints(self.checkpoints):
            if step_of(folder) > step:
                shutil.rmtree(folder)
        self._prune()
        path = self.folder / "metrics.jsonl"
        if path.exists():
            remaining = [line for line in self._log_lines() if _logged_step(line) <= step]
            with resumable(f"write to {path}"):
                write_text(path, "".join(remaining))

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder for what is made while training."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        return folder

    def save(self, step: int, state: State, facts: Mapping[str, Any]) -> None:
        """Save a checkpoint; `Resumable` where that fails."""
        save_checkpoint(self.checkpoints / f"step-{step:08d}", state, facts)
        self._prune()

    def save_if_best(self, distance: float, state: State, facts: Mapping[str, Any]) -> None:
        """Save a checkpoint as the best one where no earlier `distance` is smaller.

        Of equal distances the latest is the best, as it is trained longest.
        """
        if distance <= self._best_distance():
            save_checkpoint(self.checkpoints / "best", state, {**facts, "best": distance})

    def _prune(self) -> None:
        """Keep the newest checkpoints; of these the newest is whole."""
        for old in checkpoints(self.checkpoints)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def require_space(self, checkpoint_bytes: int) -> None:
        """`UserError` where the disk has no room for the checkpoints that are to come.

        Those are the newest `KEPT`, the best, and one of each while it takes another's place.
        """
        there = len(checkpoints(self.checkpoints)) + len(self._best_folder())
        require_space(self.folder, (KEPT + 3 - min(there, KEPT + 1)) * checkpoint_bytes)

    def _best_folder(self) -> list[Path]:
        folder = self.checkpoints / "best"
        return [folder] if folder.is_dir() else []

    def _best_distance(self) -> float:
        try:
            best = self.best()
        except Corrupt as error:
            LOG.warning("the best checkpoint is damaged and is replaced: %s", error)
            return math.inf
        return float(best.facts["best"]) if best else math.inf

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint whose digests fit; damaged ones are named on stderr.

        None before the first one; `Corrupt` where there are some and all are damaged.
        """
        return first_whole(checkpoints(self.checkpoints))

    def best(self) -> Checkpoint | None:
        """The checkpoint of the smallest distance so far; `Corrupt` where it is damaged."""
        return first_whole(self._best_folder())

    def best_or_latest(self) -> Checkpoint:
        """What to sample from: the best, else the newest that is whole; else `UserError`."""
        found = first_whole([*self._best_folder(), *checkpoints(self.checkpoints)])
        if found is None:
            raise UserError(f"{self.folder} holds no checkpoint yet: train it first")
        return found

    def fill(self, networks: nn.ModuleDict, group: str) -> Checkpoint:
        """Load the best (else newest) weights of `group` into `networks`; returns their origin."""
        checkpoint = self.best_or_latest()
        checkpoint.fill(networks, group)
        return checkpoint


def export(run: Run, to: Path) -> Path:
    """A run to share: its configuration and its best averaged weights, in half precision.

    Half precision keeps 11 bits of each weight: it is off by 0.05 % at most (2^-11), and by 3e-8
    where a weight is smaller than 6e-5. One beyond 65504 is refused as not finite.
    """
    checkpoint = run.best_or_latest()
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint.group("ema").items()
    }
    to.mkdir(parents=True, exist_ok=True)
    write_text(to / "config.yaml", _explained(run.config))
    save_checkpoint(to / "checkpoints" / "best", {"ema": halved}, checkpoint.facts)
    return to


def _explained(config: Mapping[str, Any]) -> str:
    """config.yaml: a first line that says by what, then the settings."""
    return f"{_made_by()}\n{yaml.safe_dump(dict(config), sort_keys=False)}"


def _made_by() -> str:
    found = versions()
    parts = ", ".join(f"{name} {found[name]}" for name in ("python", "torch", "numpy"))
    return f"# made by {parts}, threads {torch.get_num_threads()}"


def _warn_of_other_parts(path: Path) -> None:
    """A resumed run repeats an unbroken one to the bit only on the parts it was begun with."""
    before = path.read_text(encoding="utf-8").partition("\n")[0]
    if before.startswith("# made by") and before != _made_by():
        LOG.warning(
            "%s was %s and goes on with %s: no longer equal to the bit",
            path.parent,
            before[2:],
            _made_by()[10:],
        )


def _logged_step(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize  # a line cut short by a kill


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys.

    >>> flatten({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def _refuse_changes(
    folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any], changeable: Sequence[str]
) -> None:
    before, now = flatten(stored), flatten(json.loads(json.dumps(wanted)))
    changed = sorted(
        key
        for key in before.keys() | now.keys()
        if before.get(key) != now.get(key) and key not in changeable
    )
    if changed:
        listed = ", ".join(f"{k}: {before.get(k)} -> {now.get(k)}" for k in changed)
        raise ConfigError(
            f"{folder} was begun with other settings ({listed}): repeat them to resume, "
            "or choose another folder"
        )
