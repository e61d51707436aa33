"""Captioned clips, which a model is trained on and measured against: where they come from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.app.domain import TrainingData
from core.data.collection import Split
from core.errors import ConfigError
from videogen.data.collection import Collection
from videogen.files.clip import FrameBatch
from videogen.presets import SHAPES_SIZE
from videogen.shapes.dataset import MovingShapes


@runtime_checkable
class CaptionedClips(TrainingData, Protocol):
    """Captioned clips to train on: a prepared collection, or moving shapes."""

    @property
    def size(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def frames_per_second(self) -> float: ...
    @property
    def words(self) -> tuple[str, ...]: ...
    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]: ...
    def captions_in_training(self, most: int) -> list[str]: ...
    def spelled(self, caption: str, split: Split) -> str | None: ...
    def clips_of(self, captions: Sequence[str], split: Split) -> FrameBatch: ...


def find_data(
    folder: Path | None,
    shapes: bool,
    pairs: bool,
    preset: str,
    showing: str = "",
    size: int | None = None,
) -> CaptionedClips:
    """Open the collection in `folder`, or build moving shapes, by default of the preset's size."""
    if bool(folder) == shapes or ((pairs or showing or size) and not shapes):
        raise ConfigError("give either DATA, or --shapes (and with it --pairs, --showing, --size)")
    if folder is None:
        counts = (1, 2) if pairs else (1,)
        size = size or SHAPES_SIZE.get(preset, 64)
        return MovingShapes(size, counts=counts, showing=showing)
    return Collection.open(folder)


def find_other(name: str | None, data: CaptionedClips) -> CaptionedClips | None:
    """Open a second collection: a folder, or moving shapes with a word in their captions."""
    if name is None:
        return None
    if isinstance(data, MovingShapes):
        return MovingShapes(data.size, data.frames, data.counts, showing=name)
    return Collection.open(Path(name))
