"""Which songs are nearly the same, so that they fall on one side of a split.

Two songs are near-duplicates when half of the three-note shapes of the one with fewer are in the
other. A shape is two steps in time and pitch from note to note of one track, so it does not change
with the key. Shapes that very many songs have (a scale in quarter notes) are left out of the half;
nine tenths of all shapes do as well, for those who are the many.
"""

import numpy as np

from musegen.roll import Notes

SHARED, SHARED_OF_ALL = 0.5, 0.9
FEWEST = 8
"""Songs with fewer shapes than this in common are not called near: it may be chance."""

COMMON_SONGS, COMMON_SHARE = 50, 1 / 8
"""A shape in more songs than this, both in number and in share, is common."""

COMPARED = 1 << 22
"""Shapes compared at most; of more a sample is taken, the same of each song (Broder 1997)."""

NEIGHBOURS = 200
"""Songs with the same shape that each is compared to: those that follow it."""


def shapes(notes: Notes, drums: np.ndarray) -> np.ndarray:
    """The distinct shapes of a song as sorted hashes, uint32; drums have none."""
    found = [
        _shapes(notes.start[chosen], notes.pitch[chosen])
        for track in np.unique(notes.track)
        if not drums[track] and (chosen := notes.track == track).sum() >= 3
    ]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint32)


def _shapes(start: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Hashes of every three notes in a row."""
    gap = np.diff(start).clip(max=0xFFFF).astype(np.uint64)
    rise = (np.diff(pitch.astype(np.int64)) + 128).astype(np.uint64)
    step = gap << np.uint64(8) | rise
    mixed = (step[:-1] << np.uint64(24) | step[1:]) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(32)) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def sampled(hashes: np.ndarray, total: int) -> np.ndarray:
    """Of a song's hashes those that are compared, where there are `total` in all."""
    return hashes if total <= COMPARED else hashes[hashes < COMPARED / total * 2**32]


def clusters(hashes: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The cluster of each song, as the number of the first song in it.

    `hashes` of all songs in a row, `count` of each. A song is near another directly or over others
    between them.
    """
    parents = list(range(len(count)))

    def root(song: int) -> int:
        while parents[song] != song:
            parents[song] = song = parents[parents[song]]
        return song

    for song, near in enumerate(_near(hashes, count)):
        for other in near.tolist():
            first, second = sorted((root(song), root(other)))
            parents[second] = first
    return np.array([root(song) for song in range(len(count))], dtype=np.int64)


def _near(hashes: np.ndarray, count: np.ndarray) -> list[np.ndarray]:
    """For each song the later songs that it shares enough with."""
    songs = np.repeat(np.arange(len(count), dtype=np.int32), count)
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    holders = songs[order]  # songs by the shape that they have, those of one shape in a row
    holding, later = _runs(hashes[order])
    place = np.empty_like(order)
    place[order] = np.arange(len(order), dtype=np.int32)
    rare = (holding <= max(COMMON_SONGS, COMMON_SHARE * len(count)))[place]
    rare_count = np.bincount(songs[rare], minlength=len(count))

    def near(song: int, mine: slice) -> np.ndarray:
        following = np.minimum(later[place[mine]], NEIGHBOURS)
        others, of = np.unique(holders[_ranges(place[mine] + 1, following)], return_inverse=True)
        shared = np.bincount(of, minlength=len(others))
        shared_rare = np.bincount(of, np.repeat(rare[mine], following), minlength=len(others))
        enough = (shared_rare >= _least(SHARED, rare_count, song, others)) | (
            shared >= _least(SHARED_OF_ALL, count, song, others)
        )
        return others[enough & (others != song)]

    ends = np.cumsum(count)
    return [near(song, slice(end - count[song], end)) for song, end in enumerate(ends.tolist())]


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each of sorted values how many are equal to it, and how many of those come later.

    >>> _runs(np.array([3, 5, 5, 5, 9]))
    (array([1, 3, 3, 3, 1], dtype=int32), array([0, 2, 1, 0, 0], dtype=int32))
    """
    edges = np.flatnonzero(np.diff(values, prepend=values[:1] - 1, append=values[-1:] + 1))
    length = np.diff(edges).astype(np.int32)
    ends = np.repeat(edges[1:].astype(np.int32), length)
    return np.repeat(length, length), ends - np.arange(1, 1 + len(ends), dtype=np.int32)


def _least(share: float, count: np.ndarray, song: int, others: np.ndarray) -> np.ndarray:
    """A share of the shapes of the one with fewer."""
    return np.maximum(share * np.minimum(count[song], count[others]), FEWEST)


def _ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """start, start + 1, ... for each start, in a row.

    >>> _ranges(np.array([5, 20]), np.array([3, 1]))
    array([ 5,  6,  7, 20])
    """
    ends = np.cumsum(length)
    return np.arange(length.sum()) + np.repeat(start - ends + length, length)
