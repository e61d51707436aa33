"""The catalogue of a preparation: which sources are kept, and which of them are held out.

A source fills consecutive entries of its shard's columns; pieces start within it. Near-duplicates
form a cluster, and the split into training and test data is of clusters, so that nothing held out
resembles training data.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from core.data.store import Reject, read_columns, read_metadata

CURE = re.compile(r": --[a-z]")
"""An option that follows the reason of a rejection."""

SourceMetadata = dict[str, Any]
"""A shard's metadata of a source: at least `source`, `content` (a digest) and its length."""


@dataclass
class Catalogue:
    """The sources of all shards, each with its location.

    A location is (shard, number within the shard, first entry within the shard).
    """

    shards: int = 0
    sources: list[SourceMetadata] = field(default_factory=list)
    locations: list[tuple[int, int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, shards: int, length_key: str, duplicate: str) -> "Catalogue":
        """Read the metadata of all shards.

        `length_key` names the number of entries that a source fills. A source whose content equals
        an earlier one's is rejected; `duplicate` names what they share.
        """
        catalogue, first_source = cls(shards), dict[str, str]()
        for shard in range(shards):
            start, number = 0, count()
            for metadata in read_metadata(folder, shard):
                source = metadata["source"]
                if "reason" in metadata:
                    catalogue.rejects.append((source, metadata["reason"], metadata["detail"]))
                    continue
                location = (shard, next(number), start)
                start += metadata[length_key]
                first = first_source.get(metadata["content"])
                if first is not None:
                    catalogue.rejects.append((source, "duplicate", f"{duplicate} as {first}"))
                    continue
                first_source[metadata["content"]] = source
                catalogue.sources.append(metadata)
                catalogue.locations.append(location)
        return catalogue

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for _, reason, _ in self.rejects)

    @property
    def cures(self) -> Counter[str]:
        """Return the details that end with an option of the command, which would keep a source."""
        return Counter(detail for _, _, detail in self.rejects if CURE.search(detail))

    def split(self, cluster: np.ndarray, pieces: np.ndarray, test_share: float, seed: int) -> None:
        """Assign each source to training or test data.

        `cluster` and `pieces`: the cluster and the number of pieces of each.
        """
        contents = [source["content"] for source in self.sources]
        test = held_out(cluster, pieces, contents, test_share, seed)
        for source, is_test in zip(self.sources, test, strict=True):
            source["split"] = "test" if is_test else "train"

    def rows(self, folder: Path, name: str) -> list[np.ndarray]:
        """Read each source's part of a ragged column."""
        rows: list[np.ndarray] = []
        for shard, locations in groupby(self.locations, key=itemgetter(0)):
            columns = read_columns(folder, shard)
            parts = np.split(columns[name], np.cumsum(columns[f"{name}_of_source"]))
            rows += [parts[number] for _, number, _ in locations]
        return rows

    def pieces(self, folder: Path, name: str) -> dict[str, np.ndarray]:
        """Return columns of the pieces: source, shard, first entry in shard and source, split.

        `name` is the ragged column of the first entries of a source's pieces, within the source.
        """
        firsts = self.rows(folder, name)
        lengths = lengths_of(firsts)
        first = concat_rows(firsts, np.int32)
        shard, _, start = (np.array(c, np.int32) for c in zip(*self.locations, strict=True))
        is_test = np.array([source["split"] == "test" for source in self.sources])
        return {
            "source": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            "shard": np.repeat(shard, lengths),
            "begin": np.repeat(start, lengths) + first,
            "first": first,
            "is_test": np.repeat(is_test, lengths),
        }


def lengths_of(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the length of each row: the column that accompanies a ragged one."""
    return np.array([len(row) for row in rows], dtype=np.int64)


def concat_rows(rows: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    """Concatenate rows, of which there may be none, as `dtype`."""
    return np.concatenate([np.zeros(0, dtype), *rows]).astype(dtype)


def held_out(
    cluster: np.ndarray,
    pieces: np.ndarray,
    contents: Sequence[str],
    test_share: float,
    seed: int,
) -> list[bool]:
    """Return for each source whether it is test data.

    Whole clusters are held out, up to `test_share` of the pieces. Where that is none, the cluster
    with the fewest pieces is, unless it is the only one: never more than half. Their order is a
    hash of the seed and the contents, so that adding sources moves few of the others.
    """
    members: dict[int, list[int]] = {}
    for source, number in enumerate(cluster.tolist()):
        members.setdefault(number, []).append(source)

    def rank(number: int) -> str:
        first = min(contents[source] for source in members[number])
        return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()

    test, taken, most = set[int](), 0, test_share * pieces.sum()
    size = {number: int(pieces[members[number]].sum()) for number in members}
    order = sorted(members, key=rank)
    for number in order:
        if taken + size[number] <= most:
            test.update(members[number])
            taken += size[number]
    smallest = min(order, key=size.__getitem__, default=None)
    if not test and test_share and smallest is not None and len(members) > 1:
        test.update(members[smallest])
    return [source in test for source in range(len(cluster))]
