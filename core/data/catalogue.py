"""The catalogue of a preparation: which sources are kept, and who is held out.

A source fills a stretch of its shard's columns, and pieces that are trained on (a song's phrases,
a video's clips) begin within it. What is alike forms a cluster, and clusters are split, never
sources or pieces: what is held out resembles nothing that is trained on.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from core.data.store import Reject, read_columns, read_notes

SourceNote = dict[str, Any]
"""What a shard notes of a source: at least `source`, `content`, and its extent."""


@dataclass
class Catalogue:
    """The sources of all shards; `place` is (shard, number there, where it begins there)."""

    shards: int = 0
    sources: list[SourceNote] = field(default_factory=list)
    place: list[tuple[int, int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, shards: int, extent: str, same_as: str) -> "Catalogue":
        """Read the notes of all shards.

        `extent` is the note of how much a source fills. What has the content of one before is
        rejected, as being `same_as` the first.
        """
        made, first = cls(shards), dict[str, str]()
        for shard in range(shards):
            begin, number = 0, count()
            for note in read_notes(folder, shard):
                if "reason" in note:
                    made.rejects.append((note["source"], note["reason"], note["detail"]))
                    continue
                place, begin = (shard, next(number), begin), begin + note[extent]
                if note["content"] in first:
                    why = f"{same_as} as {first[note['content']]}"
                    made.rejects.append((note["source"], "duplicate", why))
                    continue
                first[note["content"]] = note["source"]
                made.sources.append(note)
                made.place.append(place)
        return made

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for _, reason, _ in self.rejects)

    def split(self, owner: np.ndarray, test_share: float, seed: int) -> None:
        """Give each source its split; `owner` is the cluster of each."""
        contents = [source["content"] for source in self.sources]
        test = held_out(owner, contents, test_share, seed)
        for source, is_test in zip(self.sources, test, strict=True):
            source["split"] = "test" if is_test else "train"

    def rows(self, folder: Path, name: str) -> list[np.ndarray]:
        """Each source's part of a ragged column."""
        rows: list[np.ndarray] = []
        for shard in range(self.shards):
            columns = read_columns(folder, shard)
            parts = np.split(columns[name], np.cumsum(columns[f"{name}_of_source"]))
            rows += [parts[number] for owner, number, _ in self.place if owner == shard]
        return rows

    def pieces(self, folder: Path, name: str) -> dict[str, np.ndarray]:
        """Of each piece its source, shard, where it begins in the shard and in the source, split.

        `name` is the ragged column of where a source's pieces begin.
        """
        firsts = self.rows(folder, name)
        lengths = lengths_of(firsts)
        first = np.concatenate([np.zeros(0, np.int32), *firsts])
        shard, _, begin = (np.array(column, np.int32) for column in zip(*self.place, strict=True))
        is_test = np.array([source["split"] == "test" for source in self.sources])
        return {
            "source": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            "shard": np.repeat(shard, lengths),
            "begin": np.repeat(begin, lengths) + first,
            "first": first,
            "is_test": np.repeat(is_test, lengths),
        }


def lengths_of(rows: Sequence[np.ndarray]) -> np.ndarray:
    """How long each row is: the column beside a ragged one."""
    return np.array([len(row) for row in rows], dtype=np.int64)


def concat_rows(rows: Sequence[np.ndarray], kind: Any) -> np.ndarray:
    """Rows in one, of a type that holds without any."""
    return np.concatenate([np.zeros(0, kind), *rows]).astype(kind)


def held_out(
    owner: np.ndarray, contents: Sequence[str], test_share: float, seed: int
) -> list[bool]:
    """Which sources are held out: whole clusters, up to a share of them; one at least of two.

    The order of the clusters is drawn from the seed and their sources' contents, so that more
    sources change little of who is held out.
    """
    members: dict[int, list[int]] = {}
    for source, cluster in enumerate(owner.tolist()):
        members.setdefault(cluster, []).append(source)

    def lot(cluster: int) -> str:
        first = min(contents[source] for source in members[cluster])
        return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()

    drawn: list[int] = []
    order = sorted(members, key=lot)
    for cluster in order:
        if len(drawn) + len(members[cluster]) <= test_share * len(owner):
            drawn += members[cluster]
    if not drawn and test_share and len(members) > 1:
        drawn = members[min(order, key=lambda cluster: len(members[cluster]))]
    return [source in set(drawn) for source in range(len(owner))]
