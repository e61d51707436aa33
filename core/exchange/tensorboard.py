"""TensorBoard: the record of a run as a file of events, which TensorBoard shows while it trains.

    tensorboard --logdir runs

The board shows what lies in the run's folder: a line of metrics.jsonl is a point of each curve,
and of a step that was observed samples/step-N.png is a picture and samples/step-N.wav a sound.
Where the record was cut back, because a run resumed or had a setback, the board is drawn anew, so
that no point is on it twice.
"""

import importlib
import json
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError

FOLDER = "tensorboard"
"""The folder of the events in a run's."""


class Board:
    """The events of one run; `UserError` where TensorBoard is not installed.

    Losses are called "training/...", norms of gradients "gradients/...", what is measured of
    samples "measured/...". The time of a point is that of training so far.
    """

    def __init__(self, run: Path):
        try:
            self._events = importlib.import_module("tensorboard.compat.proto.event_pb2")
            self._summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
            self._writing = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        except ImportError as error:
            raise UserError(
                "train.tensorboard needs TensorBoard: pip install 'pianoreel[tensorboard]', or "
                "leave that setting out"
            ) from error
        self.run = run
        self._record = run / "metrics.jsonl"
        self._inode, self._read = -1, 0
        self._origin, self._seconds = 0.0, 0.0
        self._writer: Any = None

    def update(self) -> None:
        """Add what the record says since the last call."""
        if not self._record.exists():
            return
        state = self._record.stat()
        if state.st_ino != self._inode or state.st_size < self._read:  # written anew
            self._begin(state.st_ino)
        if state.st_size > self._read:
            for line in self._new_lines():
                self._add(json.loads(line))
            self._writer.flush()

    def close(self) -> None:
        """Add what is left, and close the file."""
        self.update()
        if self._writer is not None:
            self._writer.close()

    def _begin(self, inode: int) -> None:
        if self._writer is not None:
            self._writer.close()
        folder = self.run / FOLDER
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = self._writing.EventFileWriter(str(folder))
        self._inode, self._read = inode, 0
        self._origin, self._seconds = time.time(), 0.0

    def _new_lines(self) -> Iterator[bytes]:
        """Yield the whole lines that were not read yet."""
        with self._record.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    yield line

    def _add(self, line: Mapping[str, Any]) -> None:
        step, values = int(line["step"]), []
        self._seconds = line.get("seconds", self._seconds)
        for key, value in line.items():
            if key not in ("step", "seconds") and value is not None:
                name = _title(key, is_training="seconds" in line)
                values.append(self._summaries.Summary.Value(tag=name, simple_value=value))
        if "seconds" not in line:
            values += self._samples(self.run / "samples" / f"step-{step:08d}")
        summary = self._summaries.Summary(value=values)
        at = self._origin + self._seconds
        self._writer.add_event(self._events.Event(wall_time=at, step=step, summary=summary))

    def _samples(self, stem: Path) -> Iterator[Any]:
        """Yield the picture and the sound of an observed step, as far as there are any."""
        kind = self._summaries.Summary
        if (path := stem.with_suffix(".png")).exists():
            image = path.read_bytes()
            width, height = struct.unpack(">II", image[16:24])
            shown = kind.Image(width=width, height=height, encoded_image_string=image)
            yield kind.Value(tag="samples", image=shown)
        if (path := stem.with_suffix(".wav")).exists():
            sound = kind.Audio(encoded_audio_string=path.read_bytes(), content_type="audio/wav")
            yield kind.Value(tag="sound", audio=sound)


def _title(key: str, is_training: bool) -> str:
    """Return the name of a curve.

    >>> _title("gradient_match_x", True), _title("match_x", True), _title("distance", False)
    ('gradients/match_x', 'training/match_x', 'measured/distance')
    """
    if key.startswith("gradient_"):
        return f"gradients/{key.removeprefix('gradient_')}"
    return f"{'training' if is_training else 'measured'}/{key}"
