"""The catalogue of songs: near-duplicates form a cluster, and clusters are split."""

from pathlib import Path

import numpy as np

from core.data.catalogue import Catalogue, concat_rows, lengths_of
from core.data.store import read_columns
from musegen.data.similarity import clusters, sampled


def cluster(found: Catalogue, folder: Path) -> np.ndarray:
    """Return the cluster of each song, and add it to the songs' notes."""
    owner = clusters(*_shapes(found, folder))
    for song, number in zip(found.sources, owner.tolist(), strict=True):
        song["cluster"] = number
    return owner


def _shapes(found: Catalogue, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the shapes of all songs, concatenated, and the number of each song's.

    A sample of them where there are very many.
    """
    total = sum(len(read_columns(folder, n)["shapes"]) for n in range(found.shards))
    rows = [sampled(row, total) for row in found.rows(folder, "shapes")]
    return concat_rows(rows, np.uint32), lengths_of(rows)


def phrases_of(found: Catalogue, folder: Path) -> dict[str, np.ndarray]:
    """Return each phrase's song, shard, first bar in the shard and in the song, and split."""
    names = {"source": "song", "begin": "bar", "first": "first_bar"}
    pieces = found.pieces(folder, "phrases")
    return {names.get(name, name): column for name, column in pieces.items()}
