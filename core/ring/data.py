"""Points to train on: the ring and its relatives, drawn as they are needed, or CSV files of one's
own, prepared into a collection.

prepare(["points/"], to="data/points")      .csv files with lines x,y or x,y,label
"""

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.config import Strict
from core.data import preparation
from core.data.catalogue import concat_rows, lengths_of
from core.data.collection import Prepared, Split
from core.data.limits import Limits
from core.data.preparation import Job, Tick, open_preparation, pieces_by_split, prepare_shards
from core.data.sources import RejectedFile, Source, expand_patterns, iterate_sources, scan
from core.data.store import write_index
from core.data.workers import Failure
from core.errors import ConfigError, UserError
from core.ring import eight_gaussians as ring
from core.ring.eight_gaussians import MODES, Points
from core.wording import nearest

CSV = (".csv",)
RINGS: dict[str, Callable[[int, int], Tensor]] = {
    "ring": ring.points,
    "small": ring.other_points,
    "shifted": ring.shifted_points,
}
"""The rings by name, each a function of (count, seed)."""

Labels = Int[Tensor, " batch"]


@dataclass(frozen=True)
class DrawnRing:
    """One of the rings, drawn as it is needed; labels are the numbers of the modes."""

    name: str = "ring"

    def __post_init__(self) -> None:
        if self.name not in RINGS:
            raise ConfigError(
                f"no ring is called '{self.name}': {nearest(self.name, list(RINGS))}"
            )

    @property
    def digest(self) -> str:
        return self.name

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("train", "test")

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[Points, Labels]:
        """Batch `number`, a function of its arguments alone."""
        text = f"{self.name} {split} {seed} {number}"
        batch_seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        labels = ring.labelled(size, batch_seed).c
        assert labels is not None
        return RINGS[self.name](size, batch_seed), labels.argmax(1)


class PrepareConfig(Strict):
    """Settings of a preparation; a share of the files is held out."""

    test_share: float = 0.1
    seed: int = 0
    limits: Limits = Limits()


@dataclass(frozen=True)
class PointRecord:
    """The points of a file, [n 2], with the label of each."""

    points: Float[np.ndarray, "point 2"]
    labels: Int[np.ndarray, " point"]

    @property
    def facts(self) -> dict[str, Any]:
        return {"content": hashlib.sha256(self.points.tobytes()).hexdigest(), "points": len(self)}

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Summary(preparation.Summary):
    """Counts of files and points."""

    SOURCE = "file"
    PIECE = "point"
    RECOMMENDED_PIECES = 1000
    HOW_TO_GET_MORE = "More lines give more"
    WHY_NO_TEST_DATA = "there is one file only"


def parse_points(data: bytes) -> PointRecord:
    """Parse lines x,y or x,y,label; `RejectedFile` names the line that is neither."""
    points, labels = [], []
    largest = float(np.finfo(np.float32).max)
    for number, row in enumerate(csv.reader(io.StringIO(data.decode("utf-8", "replace"))), 1):
        try:
            x, y, label = float(row[0]), float(row[1]), int(row[2]) if row[2:] else 0
        except (ValueError, IndexError) as error:
            raise RejectedFile("format", f"line {number} is not x,y or x,y,label") from error
        if not (abs(x) <= largest and abs(y) <= largest and 0 <= label < MODES):
            raise RejectedFile("format", f"line {number} is out of range: labels are 0 to 7")
        points.append((x, y))
        labels.append(label)
    if not points:
        raise RejectedFile("empty", "no line")
    return PointRecord(np.array(points, np.float32), np.array(labels, np.int64))


def read_points(source: Source, limits: Limits) -> PointRecord | Failure:
    """A file's points, or why it is rejected."""
    try:
        return parse_points(source.read(limits))
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def columns_of(records: Sequence[PointRecord]) -> dict[str, np.ndarray]:
    """The columns of files, concatenated."""
    starts = [np.arange(len(record), dtype=np.int32) for record in records]
    points = [record.points for record in records]
    return {
        "points": np.concatenate([np.zeros((0, 2), np.float32), *points]),
        "labels": concat_rows([record.labels for record in records], np.int64),
        "starts": concat_rows(starts, np.int32),
        "starts_of_source": lengths_of(starts),
    }


def prepare(
    sources: Sequence[str],
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    jobs: int = 1,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Read .csv files of points into the folder `to`; `UserError` where none can be kept."""
    starts, limits = expand_patterns(sources), config.limits
    found = scan(starts, CSV, limits)
    if not found.count:
        raise UserError(f"no .csv file in {', '.join(map(str, sources))}")
    job = Job(
        iterate_sources(starts, CSV, limits),
        found.count,
        partial(read_points, limits=limits),
        lambda source: source.name,
        columns_of,
        limits.seconds,
        limits.memory_mb,
        jobs,
        tick,
    )
    settings = {"config": config.model_dump(mode="json"), "sources": found.sha256}
    with open_preparation(Path(to), settings) as folder:
        kept = prepare_shards(folder, job, "points", "the same points", "file")
        alone, sizes = np.arange(len(kept.sources)), lengths_of(kept.rows(folder, "starts"))
        kept.split(alone, sizes, config.test_share, config.seed)
        pieces = kept.pieces(folder, "starts")
        write_index(folder, kept.shards, {"domain": "ring"}, pieces)
        counts = pieces_by_split(pieces["is_test"])
        summary = Summary(
            *(folder, job.count, len(kept.sources), counts, kept.reasons, found.skipped),
            test_share=config.test_share,
        )
        summary.write()
    return summary


class PointCollection(Prepared):
    """A collection of prepared points in the plane, with their labels."""

    DOMAIN = "ring"

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[Points, Labels]:
        """Batch `number`, a function of its arguments alone; points are drawn with replacement."""
        chosen = np.random.default_rng([seed, number]).choice(self.indices(split), size)
        whole, shards = self.store.whole, self.store.shards
        places = list(zip(whole["shard"][chosen], whole["begin"][chosen], strict=True))
        points = np.stack([shards[shard]["points"][row] for shard, row in places])
        labels = np.array([shards[shard]["labels"][row] for shard, row in places])
        return torch.from_numpy(points), torch.from_numpy(labels)
