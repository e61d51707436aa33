"""The catalogue of songs: near-duplicates form a cluster, and clusters are split."""

from pathlib import Path

import numpy as np

from core import catalogue
from core.catalogue import joined, lengths_of
from core.store import read_columns
from musegen.similarity import clusters, sampled


class Catalogue(catalogue.Catalogue):
    """The songs of all shards, kept once each."""

    def cluster(self, folder: Path) -> np.ndarray:
        """Note the cluster of each song; all of them."""
        owner = clusters(*self._shapes(folder))
        for song, cluster in zip(self.sources, owner.tolist(), strict=True):
            song["cluster"] = cluster
        return owner

    def _shapes(self, folder: Path) -> tuple[np.ndarray, np.ndarray]:
        """The shapes of all songs in a row, and how many each has; a sample where all are many."""
        total = sum(len(read_columns(folder, n)["shapes"]) for n in range(self.shards))
        rows = [sampled(row, total) for row in self.rows(folder, "shapes")]
        return joined(rows, np.uint32), lengths_of(rows)

    def phrases(self, folder: Path) -> dict[str, np.ndarray]:
        """Of each phrase its song, shard, bar in the shard, bar in the song, and split."""
        names = {"source": "song", "begin": "bar", "first": "first_bar"}
        pieces = self.pieces(folder, "phrases")
        return {names.get(name, name): column for name, column in pieces.items()}
