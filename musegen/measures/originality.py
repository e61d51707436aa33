"""Originality: what was taken from the training songs note for note.

Notes are compared bar by bar, in sixteenths: a note that is held over a bar line is a piece in
each bar.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt64

from core.data.collection import Split
from musegen.data.collection import Collection
from musegen.measures.excerpts import Excerpts
from musegen.measures.metrics import mean_or_nan

MOST_STRETCHES = 2000
"""Stretches of training songs in which copies are looked for."""

Digests = UInt64[np.ndarray, "*place"]
"""A digest of the notes of each place; 0 where there is none."""


@dataclass(frozen=True)
class KnownSongs:
    """The digests of all bars of songs, and of all parts: one track over successive bars."""

    bars: UInt64[np.ndarray, " bar"]
    parts: UInt64[np.ndarray, " part"]

    @classmethod
    def of(cls, songs: Iterable[Excerpts], part_bars: int) -> "KnownSongs":
        """Digest the bars of songs, and their parts of `part_bars` bars from any bar on."""
        digests = [piece_digests(song) for song in songs]
        bars = [one.sum(2).ravel() for one in digests]
        parts = [part_digests(one, part_bars).ravel() for one in digests]
        return cls(np.unique(np.concatenate(bars)), np.unique(np.concatenate(parts)))

    @classmethod
    def of_split(cls, data: Collection, split: Split, part_bars: int) -> "KnownSongs":
        """Digest the songs of a split of a collection."""
        return cls.of(_songs(data, split), part_bars)

    def copied_bars(self, excerpts: Excerpts) -> float:
        """Return the share of bars that are known, all tracks together; NaN without notes."""
        return _share_known(piece_digests(excerpts).sum(2).ravel(), self.bars)

    def copied_parts(self, excerpts: Excerpts) -> float:
        """Return the share of an excerpt's tracks that are known; NaN without notes."""
        digests = part_digests(piece_digests(excerpts), excerpts.bars)
        return _share_known(digests.ravel(), self.parts)


def _songs(data: Collection, split: Split) -> Iterable[Excerpts]:
    """Return the stretches of songs that phrases of the split cover, each as one excerpt."""
    for phrase, bars in data.stretches(split)[:MOST_STRETCHES]:
        excerpt, notes = data.excerpts(np.array([phrase]), bars)
        yield Excerpts.of(excerpt, notes, np.zeros(1, np.int64), bars, data.grid, data.tracks)


def _share_known(digests: Digests, known: UInt64[np.ndarray, " known"]) -> float:
    digests = digests[digests > 0]
    return mean_or_nan(np.isin(digests, known))


def piece_digests(excerpts: Excerpts) -> UInt64[np.ndarray, "excerpt bar track"]:
    """Return the digest of each track in each bar: the sum of its scrambled notes, modulo 2^64."""
    notes, per_bar = excerpts.notes, excerpts.steps_per_bar
    pieces = (notes.start + notes.length - 1) // per_bar - excerpts.bar + 1
    note = np.repeat(np.arange(len(notes)), pieces)
    nth = np.arange(len(note)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    bar = excerpts.bar[note] + nth
    start = np.maximum(notes.start[note], bar * per_bar)
    end = np.minimum((notes.start + notes.length)[note], (bar + 1) * per_bar)
    scrambled = np.zeros(len(note), np.uint64)
    for column in (notes.track[note], start - bar * per_bar, notes.pitch[note], end - start):
        scrambled = scramble(scrambled + column.astype(np.uint64))
    digests = np.zeros((len(excerpts), excerpts.bars, len(excerpts.tracks)), np.uint64)
    np.add.at(digests, (excerpts.excerpt[note], bar, notes.track[note]), scrambled)
    return digests


def part_digests(
    pieces: UInt64[np.ndarray, "excerpt bar track"], bars: int
) -> UInt64[np.ndarray, "excerpt first_bar track"]:
    """Return the digest of each track over `bars` bars from each bar on."""
    firsts = max(0, pieces.shape[1] - bars + 1)
    digests = np.zeros((len(pieces), firsts, pieces.shape[2]), np.uint64)
    for bar in range(bars if firsts else 0):
        piece = pieces[:, bar : bar + firsts]
        digests += np.where(piece > 0, scramble(piece + np.uint64(bar)), np.uint64(0))
    return digests


def scramble(value: Digests) -> Digests:
    """Mix the bits of each value (splitmix64, Steele et al. 2014)."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
