"""Which songs are the same or nearly the same, so that they fall on one side of a split.

Two songs are near-duplicates when half of the three-note shapes of the smaller are in the other. A
shape is two steps of (time, pitch) from note to note, so it does not change with the key.
"""

from collections import defaultdict

import numpy as np

from musegen.roll import Notes

SKETCH = 256
"""Shapes kept of a song: those with the smallest hashes, a fair sample (Broder 1997)."""

SHARED = 0.5
COMMON = 200
"""A shape in more songs than this tells nothing."""


def sketch(notes: Notes, drums: np.ndarray) -> np.ndarray:
    """A sample of the hashes of a song's shapes, sorted uint64; drums are left out."""
    shapes = [
        _shapes(notes.start[chosen], notes.pitch[chosen])
        for track in np.unique(notes.track)
        if not drums[track] and (chosen := notes.track == track).sum() >= 3
    ]
    hashes = np.unique(np.concatenate(shapes)) if shapes else np.zeros(0, np.uint64)
    return hashes[:SKETCH]


def _shapes(start: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Hashes of the shapes of three notes in a row of one track."""
    gap = np.diff(start).clip(max=255).astype(np.uint64)
    rise = (np.diff(pitch) + 128).astype(np.uint64)
    step = gap << np.uint64(8) | rise
    mixed = (step[:-1] << np.uint64(16) | step[1:]) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ mixed >> np.uint64(29)


def clusters(sketches: list[np.ndarray]) -> np.ndarray:
    """The cluster of each song, as the number of the first song in it."""
    parents = np.arange(len(sketches))

    def root(song: int) -> int:
        while parents[song] != song:
            parents[song] = song = parents[parents[song]]
        return song

    for a, b in _near(sketches):
        first, second = sorted((root(a), root(b)))
        parents[second] = first
    return np.array([root(song) for song in range(len(sketches))], dtype=np.int64)


def _near(sketches: list[np.ndarray]) -> list[tuple[int, int]]:
    """Pairs of songs that share half of the smaller one's sample."""
    songs_of: dict[int, list[int]] = defaultdict(list)
    for song, hashes in enumerate(sketches):
        for value in hashes.tolist():
            songs_of[value].append(song)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for songs in songs_of.values():
        if 1 < len(songs) <= COMMON:
            for place, a in enumerate(songs):
                for b in songs[place + 1 :]:
                    shared[a, b] += 1
    return [
        pair
        for pair, count in shared.items()
        if count >= SHARED * min(len(sketches[pair[0]]), len(sketches[pair[1]])) and count >= 8
    ]
