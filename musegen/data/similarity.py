"""Clusters of near-duplicate songs, so that none is on both sides of a split.

A shape is three successive notes of one track: two intervals of pitch and two of time, so it does
not change with the key. Two songs are near-duplicates if they share half of the shapes of the one
that has fewer, not counting common shapes that very many songs have (a scale in quarter notes), or
nine tenths of all its shapes.
"""

import numpy as np

from musegen.roll import Notes, differ

SHARED, SHARED_OF_ALL = 0.5, 0.9
FEWEST = 8
"""Fewer shapes in common than this may be chance, and do not count."""

COMMON_SONGS, COMMON_SHARE = 50, 1 / 8
"""A shape in more songs than this, both in number and in share, is common."""

COMPARED = 1 << 22
"""The largest number of shapes that are compared; of more a consistent sample (Broder 1997)."""

NEIGHBOURS = 200
"""The number of following songs with the same shape that each song is compared with."""


def shapes(notes: Notes, drums: np.ndarray) -> np.ndarray:
    """Return the distinct shapes of a song as sorted hashes, uint32; drums have none."""
    melodic = np.flatnonzero(~drums[notes.track])
    track = notes.track[melodic].astype(np.uint8)
    order = np.argsort(track, kind="stable")
    track, melodic = track[order], melodic[order]
    hashes = _shapes(notes.start[melodic], notes.pitch[melodic])
    hashes = np.sort(hashes[track[2:] == track[:-2]])
    return hashes[differ(hashes)]


def _shapes(start: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Hash every three successive notes."""
    gap = np.minimum(start[1:] - start[:-1], 0xFFFF).astype(np.uint64)
    rise = (pitch[1:].astype(np.int64) - pitch[:-1] + 128).astype(np.uint64)
    step = gap << np.uint64(8) | rise
    mixed = (step[:-1] << np.uint64(24) | step[1:]) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(32)) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def sampled(hashes: np.ndarray, total: int) -> np.ndarray:
    """Select the hashes of a song that are compared if all songs have `total`."""
    return hashes if total <= COMPARED else hashes[hashes < COMPARED / total * 2**32]


def clusters(hashes: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the cluster of each song, as the number of the first song in it.

    `hashes` of all songs, concatenated, with `count` of each. Near-duplicates of near-duplicates
    are in the same cluster.
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
    """Return the later near-duplicates of each song."""
    songs = np.repeat(np.arange(len(count), dtype=np.int32), count)
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    holders = songs[order]  # songs sorted by their shapes
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
    """Count, for each of sorted values, its equals and those of them that come later.

    >>> _runs(np.array([3, 5, 5, 5, 9]))
    (array([1, 3, 3, 3, 1], dtype=int32), array([0, 2, 1, 0, 0], dtype=int32))
    """
    edges = np.flatnonzero(np.diff(values, prepend=values[:1] - 1, append=values[-1:] + 1))
    length = np.diff(edges).astype(np.int32)
    ends = np.repeat(edges[1:].astype(np.int32), length)
    return np.repeat(length, length), ends - np.arange(1, 1 + len(ends), dtype=np.int32)


def _least(share: float, count: np.ndarray, song: int, others: np.ndarray) -> np.ndarray:
    """Return the number of common shapes that makes a near-duplicate."""
    return np.maximum(share * np.minimum(count[song], count[others]), FEWEST)


def _ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Concatenate start, start + 1, ... for each start.

    >>> _ranges(np.array([5, 20]), np.array([3, 1]))
    array([ 5,  6,  7, 20])
    """
    ends = np.cumsum(length)
    return np.arange(length.sum()) + np.repeat(start - ends + length, length)
