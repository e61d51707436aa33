"""The catalogue of a preparation: which songs are kept, which are alike, who is held out.

Songs with the same notes are kept once. Near-duplicates form a cluster, and clusters are split,
never songs or phrases: what is held out resembles nothing that is trained on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from core.store import Reject, read_columns, read_notes
from musegen.similarity import clusters, sampled

Noted = dict[str, Any]
"""What a shard notes of a song: source, name, bars, content."""


@dataclass
class Catalogue:
    """The songs of all shards; `place` is (shard, its number there, its first bar there)."""

    shards: int = 0
    songs: list[Noted] = field(default_factory=list)
    place: list[tuple[int, int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, shards: int) -> "Catalogue":
        made, sources = cls(shards), {}
        for shard in range(shards):
            bar, number = 0, count()
            for note in read_notes(folder, shard):
                if "reason" in note:
                    made.rejects.append((note["source"], note["reason"], note["detail"]))
                    continue
                made._add(note, (shard, next(number), bar), sources)
                bar += note["bars"]
        return made

    def _add(self, note: Noted, place: tuple[int, int, int], sources: dict[str, str]) -> None:
        """Keep a song, unless its notes have been met before."""
        first = sources.setdefault(note["content"], note["source"])
        if first != note["source"]:
            self.rejects.append((note["source"], "duplicate", f"the same notes as {first}"))
        else:
            self.songs.append(note)
            self.place.append(place)

    def split(self, folder: Path, test_share: float, seed: int) -> None:
        """Give each song its cluster and its split."""
        owner = clusters(*self._shapes(folder))
        contents = [song["content"] for song in self.songs]
        test = held_out(owner, contents, test_share, seed)
        for song, cluster, is_test in zip(self.songs, owner.tolist(), test, strict=True):
            song["split"] = "test" if is_test else "train"
            song["cluster"] = cluster

    def _shapes(self, folder: Path) -> tuple[np.ndarray, np.ndarray]:
        """The shapes of all songs in a row, and how many each has; a sample where all are many."""
        total = sum(len(read_columns(folder, n)["shapes"]) for n in range(self.shards))
        rows = [sampled(row, total) for row in self._rows(folder, "shapes")]
        return np.concatenate([np.zeros(0, np.uint32), *rows]), _lengths(rows)

    def _rows(self, folder: Path, name: str) -> list[np.ndarray]:
        """Each song's part of a ragged column."""
        rows: list[np.ndarray] = []
        for shard in range(self.shards):
            columns = read_columns(folder, shard)
            parts = np.split(columns[name], np.cumsum(columns[f"{name}_of_song"]))
            rows += [parts[number] for owner, number, _ in self.place if owner == shard]
        return rows

    def phrases(self, folder: Path) -> dict[str, np.ndarray]:
        """Of each phrase its song, shard, bar in the shard, bar in the song, and split."""
        firsts = self._rows(folder, "phrases")
        lengths = _lengths(firsts)
        first_bar = np.concatenate([np.zeros(0, np.int32), *firsts])
        shard, _, begin = (np.array(column, np.int32) for column in zip(*self.place, strict=True))
        is_test = np.array([song["split"] == "test" for song in self.songs])
        return {
            "song": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            "shard": np.repeat(shard, lengths),
            "bar": np.repeat(begin, lengths) + first_bar,
            "first_bar": first_bar,
            "is_test": np.repeat(is_test, lengths),
        }


def _lengths(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([len(row) for row in rows], dtype=np.int64)


def held_out(
    owner: np.ndarray, contents: Sequence[str], test_share: float, seed: int
) -> list[bool]:
    """Which songs are held out: whole clusters, up to a share of the songs; one at least of two.

    The order of the clusters is drawn from the seed and their songs' contents, so that more songs
    change little of who is held out.
    """
    songs: dict[int, list[int]] = {}
    for song, cluster in enumerate(owner.tolist()):
        songs.setdefault(cluster, []).append(song)

    def lot(cluster: int) -> str:
        first = min(contents[song] for song in songs[cluster])
        return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()

    drawn: list[int] = []
    order = sorted(songs, key=lot)
    for cluster in order:
        if len(drawn) + len(songs[cluster]) <= test_share * len(owner):
            drawn += songs[cluster]
    if not drawn and test_share and len(songs) > 1:
        drawn = songs[min(order, key=lambda cluster: len(songs[cluster]))]
    return [song in set(drawn) for song in range(len(owner))]
