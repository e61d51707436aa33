"""A hearing: excerpts of songs judged by all measures against those of real songs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from core.data.collection import Split
from musegen.data.collection import Collection
from musegen.measures.excerpts import Excerpts
from musegen.measures.likeness import Portrait, group_errors, structure_in_time, total
from musegen.measures.originality import KnownSongs
from musegen.roll import Phrases

LENGTHS = (16, 8, 4, 2, 1)
"""Bars of the longer excerpts: the first of these lengths that training songs have."""

SHORT = 4
"""Bars of the shorter excerpts."""

FEWEST_SONGS = 4
"""Training songs that must have excerpts of a length."""

MOST_EXCERPTS = 300
"""The largest number of excerpts of each set that are measured."""

NAN = float("nan")


@dataclass(frozen=True)
class Songs:
    """Songs to take excerpts from: of a collection's splits, or given as cells."""

    data: Collection
    source: Phrases | Collection
    splits: tuple[Split, ...] = ()

    def excerpts(self, bars: int) -> Excerpts:
        """Take excerpts of `bars` bars, end to end; there may be none."""
        if isinstance(self.source, Collection):
            return Excerpts.of_songs(self.source, self.splits or self.source.splits, bars)
        whole = Excerpts.of_cells(self.source, self.data.grid, self.data.tracks)
        return whole if bars == whole.bars else whole.cut(bars)


@dataclass(frozen=True)
class Judgement:
    """What was heard in one set of excerpts.

    bars: the length of the excerpts that were judged; count: their number. errors: of each
    measure; groups: of each group, see `likeness.WEIGHTS`; total: their weighted mean. time: TIME.
    accuracy: that of the classifier. values: the values of each measure for the longer and the
    shorter excerpts, by their number of bars.
    """

    bars: int
    count: int
    total: float
    time: float
    accuracy: float
    copied_bars: float
    copied_parts: float
    groups: dict[str, float]
    errors: dict[str, float]
    values: dict[str, dict[str, list[float]]]


@dataclass(frozen=True, eq=False)
class Hearing:
    """Real songs, against which others are judged.

    real: portraits of excerpts of the longer and the shorter length. known: the training songs.
    copied: the shares of bars and parts that real songs have in common with these.
    """

    real: Mapping[int, Portrait] = field(repr=False)
    known: KnownSongs = field(repr=False)
    copied: tuple[float, float]
    seed: int = 0

    @classmethod
    def of(cls, data: Collection, excerpts: Mapping[int, Excerpts], seed: int) -> "Hearing":
        """Measure real excerpts of each length; `data` holds the training songs."""
        real = {bars: Portrait.of(limited(one, seed)) for bars, one in excerpts.items()}
        longest = max(excerpts)
        known = KnownSongs.of_split(data, "train", longest)
        held_out = Excerpts.of_songs(data, ["test"], longest)
        return cls(real, known, _copied(held_out, known, (0.0, 0.0)), seed)

    @cached_property
    def longest(self) -> int:
        """Return the number of bars of the longer excerpts."""
        return max(self.real)

    def judge(self, songs: Songs, phrases: float = NAN, is_training: bool = False) -> Judgement:
        """Judge songs by the longest excerpts that they have.

        phrases: their distance by the yardstick. is_training: copies are not counted.
        """
        found = {bars: songs.excerpts(bars) for bars in self.real}
        return self.judge_excerpts(found, phrases, is_training)

    def judge_excerpts(
        self, found: Mapping[int, Excerpts], phrases: float = NAN, is_training: bool = False
    ) -> Judgement:
        """Judge excerpts, given by their number of bars."""
        portraits = {
            bars: Portrait.of(limited(one, self.seed)) for bars, one in found.items() if len(one)
        }
        if not portraits:
            return Judgement(0, 0, NAN, NAN, NAN, NAN, NAN, {}, {}, {})
        bars = max(portraits)
        portrait, real = portraits[bars], self.real[bars]
        errors, accuracy = portrait.errors(real), portrait.accuracy(real)
        copied = (NAN, NAN)
        if not is_training:
            copied = _copied(found[bars], self.known, copied, bars == self.longest)
        groups = {
            "phrases": phrases,
            **group_errors(errors, portrait.measures),
            "classifier": max(0.0, 2 * accuracy - 1) if accuracy == accuracy else NAN,
            "copies": self._excess(copied),
        }
        return Judgement(
            bars=bars,
            count=len(portrait.excerpts),
            total=total(groups),
            time=structure_in_time(errors),
            accuracy=accuracy,
            copied_bars=copied[0],
            copied_parts=copied[1],
            groups=groups,
            errors=errors,
            values={str(bars): one.shown for bars, one in portraits.items()},
        )

    def _excess(self, copied: tuple[float, float]) -> float:
        """Return by how much more is copied than real songs have in common, on average."""
        beyond = [max(0.0, a - b) for a, b in zip(copied, self.copied, strict=True) if a == a]
        return float(np.mean(beyond)) if beyond else NAN


def _copied(
    excerpts: Excerpts, known: KnownSongs, without: tuple[float, float], whole: bool = True
) -> tuple[float, float]:
    """Return the shares of known bars and parts; parts only of excerpts as long as theirs."""
    if not len(excerpts):
        return without
    return known.copied_bars(excerpts), known.copied_parts(excerpts) if whole else NAN


def limited(excerpts: Excerpts, seed: int) -> Excerpts:
    """Take at most `MOST_EXCERPTS` random excerpts."""
    if len(excerpts) <= MOST_EXCERPTS:
        return excerpts
    generator = np.random.default_rng(seed)
    return excerpts.take(np.sort(generator.permutation(len(excerpts))[:MOST_EXCERPTS]))


def lengths_of(data: Collection) -> tuple[int, ...]:
    """Return the longer and the shorter number of bars at which this data is measured."""
    longest = next(
        (bars for bars in LENGTHS if _songs_with(data, bars) >= FEWEST_SONGS),
        min(data.bars, SHORT),
    )
    return tuple(dict.fromkeys((longest, min(longest, SHORT))))


def _songs_with(data: Collection, bars: int) -> int:
    return len(np.unique(data.store.whole["song"][data.beginnings(bars, "train")]))


def halves(
    data: Collection, lengths: tuple[int, ...], seed: int
) -> tuple[dict[int, Excerpts], dict[int, Excerpts]]:
    """Split the training songs into two random halves; return the excerpts of each."""
    whole = {bars: Excerpts.of_songs(data, ["train"], bars) for bars in lengths}
    songs = np.random.default_rng(seed).permutation(np.unique(whole[min(lengths)].song))
    chosen = songs[: -(-len(songs) // 2)]
    inside = {bars: np.isin(one.song, chosen) for bars, one in whole.items()}
    first = {bars: one.take(np.flatnonzero(inside[bars])) for bars, one in whole.items()}
    second = {bars: one.take(np.flatnonzero(~inside[bars])) for bars, one in whole.items()}
    return first, second
