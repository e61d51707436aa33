"""A run is a folder that explains itself.

config.yaml       all that is needed to repeat it
metrics.jsonl     one line a logged step
samples/          what it made while it trained
checkpoints/      step-00001000/ ..., the newest few, and the best under best/
.lock             while a command works in it
"""

import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import yaml
from torch import nn

from core.checkpoint import Checkpoint, Corrupt, State, checkpoints, save_checkpoint
from core.config import ConfigError, UserError, read_yaml
from core.files import locked, write_text

KEPT = 2
"""How many of the newest checkpoints stay, besides the best."""


class Run:
    """A run's folder. `open` it to train (it is locked), `read` it to sample."""

    def __init__(self, folder: Path, config: dict[str, Any]):
        self.folder, self.config = folder, config
        self._held = contextlib.ExitStack()

    @classmethod
    def open(
        cls, folder: Path, config: Mapping[str, Any], changeable: Sequence[str] = ()
    ) -> "Run":
        """Create the folder, or go on in it: then `config` must be the one that it holds.

        `changeable`: keys, as a.b, that may differ (the budget, how often to save). Raises
        `ConfigError` with the fields that changed, `UserError` where another command works in it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder, dict(config))
        path = folder / "config.yaml"
        with contextlib.ExitStack() as held:
            held.enter_context(locked(folder))
            if path.exists():
                _refuse_changes(folder, read_yaml(path), run.config, changeable)
            write_text(path, yaml.safe_dump(run.config, sort_keys=False))
            run._held = held.pop_all()
        return run

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
        """Append one line to metrics.jsonl."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the log lines after `step`, which a resumed run will write again."""
        path = self.folder / "metrics.jsonl"
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if _step_of(line) <= step]
            write_text(path, "".join(kept))

    @property
    def samples(self) -> Path:
        """The folder for what is made while training."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        return folder

    def save(
        self, step: int, state: State, facts: Mapping[str, Any], best: float | None = None
    ) -> None:
        """Save a checkpoint, and keep it as the best too where `best` is the smallest so far."""
        folder = self.folder / "checkpoints"
        save_checkpoint(folder / f"step-{step:08d}", state, facts)
        if best is not None and best < self._best_value():
            save_checkpoint(folder / "best", state, {**facts, "best": best})
        for old in list(checkpoints(folder))[KEPT:]:
            shutil.rmtree(old)

    def _best_value(self) -> float:
        best = self.best()
        return float(best.facts["best"]) if best else float("inf")

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint whose digests fit; those that do not are named on stderr."""
        for folder in checkpoints(self.folder / "checkpoints"):
            try:
                return Checkpoint.open(folder)
            except Corrupt as error:
                print(f"passed over a damaged checkpoint: {error}", file=sys.stderr)
        return None

    def best(self) -> Checkpoint | None:
        """The checkpoint of the smallest distance so far."""
        folder = self.folder / "checkpoints" / "best"
        return Checkpoint.open(folder) if folder.is_dir() else None

    def fill(self, networks: nn.ModuleDict, group: str) -> Checkpoint:
        """Load the best (else newest) weights of `group` into `networks`; returns their origin."""
        checkpoint = self.best() or self.latest()
        if checkpoint is None:
            raise UserError(f"{self.folder} holds no checkpoint yet: train it first")
        weights = checkpoint.group(group)
        try:
            networks.load_state_dict(weights)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise UserError(f"the weights in {checkpoint.folder} do not fit its config") from error
        return checkpoint


def export(run: Run, to: Path) -> Path:
    """A run to share: its configuration and its best averaged weights, in half precision.

    Half precision keeps 11 bits of each weight, which is what sampling needs.
    """
    checkpoint = run.best() or run.latest()
    if checkpoint is None:
        raise UserError(f"{run.folder} holds no checkpoint yet: train it first")
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint.group("averages").items()
    }
    to.mkdir(parents=True, exist_ok=True)
    write_text(to / "config.yaml", yaml.safe_dump(run.config, sort_keys=False))
    save_checkpoint(to / "checkpoints" / "best", {"averages": halved}, checkpoint.facts)
    return to


def _step_of(line: str) -> int:
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


class Interruption:
    """Notes the first Ctrl-C or SIGTERM, so that the step can be finished and saved.

    The second one acts at once.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def noted(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> "Interruption":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            raise SystemExit(128 + number)
        self.signal = number

    def raise_if_noted(self, run: Run) -> None:
        """Leave with exit code 130 or 143 and the sentence that says how to go on."""
        if self.signal is not None:
            print(f"stopped; the same command resumes in {run.folder}", file=sys.stderr)
            raise SystemExit(128 + self.signal)
