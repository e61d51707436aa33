"""Run folders.

config.yaml       format, versions, and all settings that are needed to repeat the run
metrics.jsonl     one line for each logged step or observation
history.jsonl     one line for each change of settings and each setback, if there were any
samples/          samples generated during training
checkpoints/      step-00001000/ ..., the newest ones, and the best as best/
.lock             while a command works in the folder
"""

import contextlib
import json
import logging
import math
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch
import yaml
from torch import nn

from core import launch, processes
from core.errors import ConfigError, Resumable, Stopped, UserError
from core.files import (
    LOCK,
    create_folder,
    is_full,
    locked,
    read_json_lines,
    require_lock,
    require_space,
    said_of,
    unwritten,
    write_text,
)
from core.training.checkpoint import (
    Checkpoint,
    Corrupt,
    checkpoints,
    first_intact,
    identity,
    recover,
    resumable,
    save_checkpoint,
    step_of,
)
from core.training.serialisation import State
from core.yaml_files import FORMAT_OF, comments_of, read_yaml

LOG = logging.getLogger("pianoreel")

CONFIG = "config.yaml"
"""The file that makes a folder a run."""
METRICS, HISTORY = "metrics.jsonl", "history.jsonl"
FORMAT_LINE = f"{FORMAT_OF}2"
TRAINED_WITH = "# trained with "

MOST_NAMED, LONGEST_VALUE = 5, 34
"""Settings that a message names, and the characters that it shows of a value."""

Change = tuple[Any, Any]
"""A setting before and after."""

Result = TypeVar("Result")

NEWEST = 2
"""Number of the newest checkpoints that are kept, besides the best."""


class Run:
    """A run folder: `open` locks it for training, `read` gives its configuration and weights.

    Of several processes the first alone works in it, and tells the others.
    """

    def __init__(self, folder: Path, config: dict[str, Any]):
        self.folder, self.config = folder, config
        self._held, self._is_new = contextlib.ExitStack(), False
        self._damage = ""

    @classmethod
    def open(
        cls,
        folder: Path,
        config: Mapping[str, Any],
        changeable: Sequence[str] = (),
        complete: Callable[[dict[str, Any]], Mapping[str, Any]] = dict,
    ) -> "Run":
        """Create the folder, or resume in it: then `config` must equal the stored one.

        `changeable`: dotted keys that may differ (the budget, how often to save); what changed is
        written into the history. `complete` adds to stored settings those that were introduced
        since. Raises `ConfigError` with what differs, `UserError` where another command works in
        the folder, it cannot be written, or its config.yaml is missing. Unfinished files of a
        killed command are removed.
        """
        run = cls(folder, dict(config))
        processes.require_equal(run.config, lambda one, other: described(changes(one, other)))
        run._begin(changeable, complete)
        return run

    @processes.by_first
    def _begin(
        self,
        changeable: Sequence[str],
        complete: Callable[[dict[str, Any]], Mapping[str, Any]],
    ) -> None:
        create_folder(self.folder)
        try:
            with contextlib.ExitStack() as held:
                held.enter_context(locked(self.folder))
                self._start(changeable, complete)
                self._held = held.pop_all()
        except OSError as error:
            if is_full(error):
                raise unwritten(self.folder, error) from error
            raise UserError(f"cannot work in {self.folder}: {said_of(error)}") from error

    def _start(
        self,
        changeable: Sequence[str],
        complete: Callable[[dict[str, Any]], Mapping[str, Any]],
    ) -> None:
        path = self.folder / CONFIG
        has_weights = bool(checkpoints(self.checkpoints) or self._best_folder())
        if path.exists():
            changed = changes(complete(_read_config(path)), self.config)
            refuse_changes(self.folder, changed, changeable, has_weights)
            _warn_of_other_versions(path)
            self._remember_changes(changed)
        elif has_weights:
            raise UserError(
                f"{self.folder} holds checkpoints, but not the config.yaml that says what they "
                "are of: put it back, or choose another folder"
            )
        self._is_new = {one.name for one in self.folder.iterdir()} <= {LOCK}
        write_text(path, _explained(self.config))
        recover(self.checkpoints)

    def _remember_changes(self, changed: Mapping[str, Change]) -> None:
        if changed:
            self.remember({"changed": {key: list(values) for key, values in changed.items()}})
            LOG.info("%s goes on with %s", self.folder, described(changed))

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Open a run to sample from it; `UserError` where the folder is not a run."""
        path = folder / CONFIG
        if not path.is_file():
            runs = sorted(one.parent for one in folder.glob(f"*/{CONFIG}"))
            cure = f"one in it, such as {runs[0]}" if runs else "a folder that `train` wrote"
            raise UserError(f"{folder} is no run: give {cure}")
        return cls(folder, _read_config(path))

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unlock the folder; one that was made for a training that failed is removed.

        It stays where there are weights, or the same command goes on with what it holds, or
        another one works there.
        """
        is_empty = self._is_new and not checkpoints(self.checkpoints)
        if is_empty and isinstance(error, Exception) and self._is_own():
            has_record = any((self.folder / name).exists() for name in (METRICS, HISTORY))
            if not (isinstance(error, Stopped) or (isinstance(error, Resumable) and has_record)):
                shutil.rmtree(self.folder, ignore_errors=True)
        self._held.close()

    @processes.by_first
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line to metrics.jsonl; a value that is not finite becomes null."""
        finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
        require_lock(self.folder)
        path = self.folder / METRICS
        with resumable(f"write to {path}"), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **finite}) + "\n")

    @processes.by_first
    def logged(self, step: int) -> list[dict[str, Any]]:
        """Return what metrics.jsonl holds of `step`, line by line."""
        return [json.loads(line) for line in self._log_lines() if _logged_step(line) == step]

    def metrics(self) -> list[dict[str, Any]]:
        """Return what metrics.jsonl holds, line by line; one that is cut short is left out."""
        return [row for line in self._log_lines() if (row := _logged(line))]

    def _log_lines(self) -> list[str]:
        path = self.folder / METRICS
        if not path.is_file():
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)

    def history(self) -> list[dict[str, Any]]:
        """Return changes of settings and setbacks, each with the step after which it came.

        `UserError` where the file holds anything else.
        """
        path = self.folder / HISTORY
        events = read_json_lines(path)
        for number, event in enumerate(events, 1):
            if not _is_event(event):
                raise UserError(f"{path}, line {number}, is no change of a training: remove it")
        return events

    def remember(self, event: Mapping[str, Any]) -> None:
        """Write an event after the newest checkpoint into the history, once."""
        events = self.history()
        new = {"step": self.newest_step, **event}
        if events[-1:] != [new]:
            path = self.folder / HISTORY
            with resumable(f"write to {path}"):
                write_text(path, "".join(json.dumps(one) + "\n" for one in [*events, new]))

    @property
    def newest_step(self) -> int:
        """Step of the newest checkpoint, 0 before the first."""
        return max(map(step_of, checkpoints(self.checkpoints)), default=0)

    def forget_newest(self) -> None:
        """Remove the newest checkpoint, unless it is the only one."""
        found = checkpoints(self.checkpoints)
        for newest in found[:1] if found[1:] else []:
            shutil.rmtree(newest)

    @processes.by_first
    def forget_after(self, step: int) -> None:
        """Remove log lines and (damaged) checkpoints after `step`, which a resumed run repeats.

        Also removes old checkpoints that a killed command did not.
        """
        for folder in checkpoints(self.checkpoints):
            if step_of(folder) > step:
                shutil.rmtree(folder)
        self._prune()
        path = self.folder / METRICS
        if path.exists():
            remaining = [line for line in self._log_lines() if _logged_step(line) <= step]
            with resumable(f"write to {path}"):
                write_text(path, "".join(remaining))

    @property
    def checkpoints(self) -> Path:
        """Path of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Path of the samples generated during training, created if absent."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        return folder

    @processes.by_first
    def save(self, step: int, state: State, facts: Mapping[str, Any]) -> None:
        """Save a checkpoint; `Resumable` where that fails."""
        require_lock(self.folder)
        save_checkpoint(self.checkpoints / f"step-{step:08d}", state, facts)
        self._prune()

    @processes.by_first
    def save_if_best(self, distance: float, state: State, facts: Mapping[str, Any]) -> None:
        """Save a checkpoint as the best one where no earlier `distance` is smaller.

        Of equal distances the latest is the best, as it is trained longest.
        """
        require_lock(self.folder)
        if distance <= self.least_distance():
            save_checkpoint(self.checkpoints / "best", state, {**facts, "best": distance})

    def _is_own(self) -> bool:
        """Return whether the folder is still the one that was locked."""
        try:
            require_lock(self.folder)
        except UserError:
            return False
        return True

    def _prune(self) -> None:
        """Remove all but the newest checkpoints, of which the newest is intact."""
        for old in checkpoints(self.checkpoints)[NEWEST:]:
            shutil.rmtree(old, ignore_errors=True)

    @processes.by_first
    def require_space(self, checkpoint_bytes: int) -> None:
        """Raise `Resumable` where the disk has no room for the checkpoints still to be written.

        At most `NEWEST` and the best are kept, and one more of each while it replaces another.
        """
        present = len(checkpoints(self.checkpoints)) + len(self._best_folder())
        require_space(self.folder, (NEWEST + 3 - min(present, NEWEST + 1)) * checkpoint_bytes)

    def _best_folder(self) -> list[Path]:
        folder = self.checkpoints / "best"
        return [folder] if folder.is_dir() else []

    @processes.by_first
    def least_distance(self) -> float:
        """Return the distance of the best checkpoint, infinite where there is none."""
        try:
            best = self.best()
            return best.fact("best") if best else math.inf
        except Corrupt as error:
            if self._damage != str(error):  # once, however often it is asked for
                LOG.warning("the best checkpoint is damaged and is replaced: %s", error)
            self._damage = str(error)
            return math.inf

    @processes.by_first
    def latest(self) -> Checkpoint | None:
        """Return the newest intact checkpoint; damaged ones are logged as warnings.

        None before the first one; `Corrupt` where all are damaged.
        """
        return first_intact(checkpoints(self.checkpoints))

    def best(self) -> Checkpoint | None:
        """Return the checkpoint of the smallest distance; `Corrupt` where it is damaged."""
        return next(map(Checkpoint.open, self._best_folder()), None)

    def best_or_latest(self) -> Checkpoint:
        """Return the best checkpoint, else the newest intact one; `UserError` without any.

        A training may replace or remove it at any moment: see `read_best`.
        """
        while True:
            folders = self._by_merit()
            found = first_intact(folders)
            if found is not None:
                return found
            if folders == self._by_merit():
                raise UserError(f"{self.folder} holds no checkpoint yet: train it first")

    def read_best(self, read: Callable[[Checkpoint], Result]) -> Result:
        """Return what `read` does of the best, else the newest checkpoint.

        It reads once more where a training has replaced or removed that one meanwhile.
        """
        while True:
            checkpoint = self.best_or_latest()
            opened = identity(checkpoint.folder)
            try:
                return read(checkpoint)
            except Corrupt:
                if identity(checkpoint.folder) == opened:
                    raise

    def _by_merit(self) -> list[Path]:
        return [*self._best_folder(), *checkpoints(self.checkpoints)]

    def fill(self, networks: nn.ModuleDict, group: str) -> Checkpoint:
        """Load the best (else newest) weights of `group`; return their checkpoint."""

        def fill(checkpoint: Checkpoint) -> Checkpoint:
            checkpoint.fill(networks, group)
            return checkpoint

        return self.read_best(fill)


def export(run: Run, to: Path) -> Path:
    """Write a run to share: its configuration and its best EMA weights, in half precision.

    float16 has 11 significant bits: the relative error is at most 0.05 % (2^-11), the absolute
    error 3e-8 for weights below 6e-5. A weight beyond 65504 is refused as not finite.
    """
    weights, facts = run.read_best(lambda best: (best.group("ema"), best.facts))
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in weights.items()
    }
    to.mkdir(parents=True, exist_ok=True)
    write_text(to / "config.yaml", _explained(run.config))
    save_checkpoint(to / "checkpoints" / "best", {"ema": halved}, facts)
    return to


def _read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a run; `UserError` where another version wrote it."""
    comments = comments_of(path)
    if FORMAT_LINE in comments:
        return read_yaml(path)
    anew = "train it anew, into another folder"
    if any(line.startswith(FORMAT_OF) for line in comments):
        raise UserError(
            f"{path.parent} was written by another version of pianoreel, whose settings and "
            f"weights differ: {anew}"
        )
    raise UserError(
        f"{path} has no line `{FORMAT_LINE}` at its top: put it back if you have changed the "
        f"file; otherwise another version of pianoreel wrote it: {anew}"
    )


def _explained(config: Mapping[str, Any]) -> str:
    """Return the text of config.yaml: format, versions, settings."""
    settings = yaml.safe_dump(dict(config), sort_keys=False)
    return f"{FORMAT_LINE}\n{TRAINED_WITH}{_versions()}\n{settings}"


def _versions() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    threads = torch.get_num_threads()
    several = f", processes {count}" if (count := launch.process_count()) > 1 else ""
    return f"python {platform.python_version()}, {libraries}, threads {threads}{several}"


def _warn_of_other_versions(path: Path) -> None:
    """Warn where a resumed run will not equal an uninterrupted one to the bit."""
    before = next((line for line in comments_of(path) if line.startswith(TRAINED_WITH)), None)
    if before and before != TRAINED_WITH + _versions():
        LOG.warning(
            "%s was trained with %s and resumes with %s: no longer equal to the bit",
            path.parent,
            before.removeprefix(TRAINED_WITH),
            _versions(),
        )


def _is_event(row: Any) -> bool:
    """Return whether a line of history.jsonl is one that a training wrote."""
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return False
    return isinstance(row.get("changed", {}), dict)


def _logged_step(line: str) -> int:
    return _logged(line).get("step", sys.maxsize)


def _logged(line: str) -> dict[str, Any]:
    """Return a line of metrics.jsonl; empty for one that is cut short by a kill, or none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    is_row = isinstance(row, dict) and type(row.get("step")) is int
    return row if is_row and 0 <= row["step"] < sys.maxsize else {}


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted keys.

    >>> flatten({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def changes(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Change]:
    """Return the settings that differ, by dotted keys.

    >>> changes({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    {'a.b': (1, 3)}
    """
    before, now = flatten(stored), flatten(json.loads(json.dumps(wanted)))
    keys = sorted(before.keys() | now.keys())
    pairs = {key: (before.get(key), now.get(key)) for key in keys}
    return {key: (one, other) for key, (one, other) in pairs.items() if one != other}


def described(changed: Mapping[str, Change]) -> str:
    """Return what differs between two runs in a line, the most important first.

    >>> described({"data_sha256": ("a1", "b2"), "spec.words": (["a"], ["b"]), "seed": (0, 5)})
    'another collection'
    >>> described({"model.recipe": ("gan", "vae"), "model.width": (8, 9), "seed": (0, 5)})
    'another model (gan -> vae)'
    >>> described({"seed": (0, 5), "words": ("a" * 99, None)})
    'other settings (seed: 0 -> 5, words: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... -> None)'
    """
    if "data_sha256" in changed or "other_sha256" in changed:
        return "another collection" if "data_sha256" in changed else "another second collection"
    if "model.recipe" in changed:
        return "another model ({} -> {})".format(*changed["model.recipe"])
    named = [f"{key}: {_short(one)} -> {_short(other)}" for key, (one, other) in changed.items()]
    more = [f"and {len(named) - MOST_NAMED} more"] if named[MOST_NAMED:] else []
    return f"other settings ({', '.join(named[:MOST_NAMED] + more)})"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def refuse_changes(
    folder: Path, changed: Mapping[str, Change], changeable: Sequence[str], has_weights: bool
) -> None:
    """Raise `ConfigError` for settings that cannot change while a run is trained."""
    refused = {key: values for key, values in changed.items() if key not in changeable}
    if refused:
        begin = f"where --from {shlex.quote(str(folder))} begins with these weights"
        other = (
            f"choose another folder, {begin}" if has_weights else "delete it: it has no weights"
        )
        raise ConfigError(
            f"{folder} was started with {described(refused)}: repeat that command to resume, or "
            f"{other}"
        )
