"""A hearing: excerpts of songs judged by all measures against those of real songs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.app.domain import Examples
from core.data.collection import RECORDED, Split
from musegen.data.collection import Collection, spread
from musegen.densities.note_sequences import to_rows
from musegen.measures.excerpts import Excerpts
from musegen.measures.likeness import Portrait, group_errors, structure_in_time, total
from musegen.measures.originality import KnownSongs
from musegen.measures.resemblance import onset_f1
from musegen.measures.yardstick import Yardstick, mean_of_known
from musegen.roll import Notes, Phrases, cut_phrases

if TYPE_CHECKING:
    from musegen.model import Model

LENGTHS = (16, 8, 4, 2, 1)
"""Bars of the longer excerpts: the first of these lengths that training songs have."""

SHORT = 4
"""Bars of the shorter excerpts."""

FEWEST_SONGS = 4
"""Training songs that must have excerpts of a length."""

MOST_EXCERPTS = 300
"""The largest number of excerpts of each set that are measured."""

MEASURED_BARS, REAL_BARS = 512, 4096
"""Bars that are sampled and measured while training, and those of real songs that judge them."""

LIKELY_PHRASES, CHUNK = 32, 8
"""Phrases of each split whose likelihood is measured while training, and how many at once."""

COPY = 0.9
"""A translation that keeps more of the notes than this share is nearly a copy."""

NAN = float("nan")


Lengths = Mapping[int, Excerpts]
"""Excerpts of songs, by their number of bars; a length may have none."""


def cut_cells(cells: Phrases, data: Collection, lengths: Sequence[int]) -> dict[int, Excerpts]:
    """Cut songs that are given as cells, in a collection's grid, end to end."""
    return _cut(Excerpts.of_cells(cells, data.grid, data.tracks), lengths)


def cut_notes(
    songs: Sequence[Notes], bars: int, data: Collection, lengths: Sequence[int]
) -> dict[int, Excerpts]:
    """Cut songs of `bars` bars in a collection's grid, end to end."""
    return _cut(Excerpts.of_notes(songs, bars, data.grid, data.tracks), lengths)


def _cut(whole: Excerpts, lengths: Sequence[int]) -> dict[int, Excerpts]:
    pieces = {bars: whole.cut(bars) for bars in lengths}
    return {bars: one.take(limited(np.arange(len(one)))) for bars, one in pieces.items()}


def cut_songs(
    data: Collection, splits: Sequence[Split], lengths: Sequence[int]
) -> dict[int, Excerpts]:
    """Take excerpts from the songs of some splits of a collection, end to end."""
    begin = {
        bars: np.concatenate([data.beginnings(bars, split) for split in splits])
        for bars in lengths
    }
    return {bars: Excerpts.of_songs(data, limited(one), bars) for bars, one in begin.items()}


def limited(numbers: np.ndarray, seed: int = 0) -> np.ndarray:
    """Take at most `MOST_EXCERPTS` random numbers, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(numbers))[:MOST_EXCERPTS]
    return numbers[np.sort(chosen)]


@dataclass(frozen=True)
class Judgement:
    """The judgement of one set of excerpts.

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
    known: KnownSongs | None = field(default=None, repr=False)
    copied: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, songs: Lengths, data: Collection | None = None) -> "Hearing":
        """Measure real excerpts; `data` holds the training songs, without it copies do not count.

        What held-out songs have in common with the training songs is no copy.
        """
        real = {bars: Portrait.of(one) for bars, one in songs.items()}
        if data is None:
            return cls(real)
        known = KnownSongs.of_split(data, "train", max(songs))
        held_out = cut_songs(data, ["test"], [max(songs)])[max(songs)]
        common = (known.copied_bars(held_out), known.copied_parts(held_out))
        return cls(real, known, (np.nan_to_num(common[0]), np.nan_to_num(common[1])))

    @cached_property
    def longest(self) -> int:
        """Return the number of bars of the longer excerpts."""
        return max(self.real)

    def judge(self, songs: Lengths, phrases: float = NAN, is_training: bool = False) -> Judgement:
        """Judge songs by the longest excerpts that they have.

        phrases: their distance by the yardstick. is_training: copies are not counted.
        """
        portraits = {bars: Portrait.of(one) for bars, one in songs.items() if len(one)}
        if not portraits:
            return Judgement(0, 0, NAN, NAN, NAN, NAN, NAN, {}, {}, {})
        bars = max(portraits)
        portrait, real = portraits[bars], self.real[bars]
        errors, accuracy = portrait.errors(real), portrait.accuracy(real)
        copied = (NAN, NAN) if is_training else self._copied(portrait.excerpts)
        groups = {
            "phrases": phrases,
            **group_errors(errors, portrait.measures),
            "classifier": float(np.maximum(0.0, 2 * accuracy - 1)),
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
        return mean_of_known(np.maximum(0.0, np.subtract(copied, self.copied)))

    def _copied(self, excerpts: Excerpts) -> tuple[float, float]:
        """Return the shares of known bars and parts; parts only of the longer excerpts."""
        if self.known is None:
            return NAN, NAN
        parts = self.known.copied_parts(excerpts) if excerpts.bars == self.longest else NAN
        return self.known.copied_bars(excerpts), parts


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
    data: Collection, lengths: Sequence[int], seed: int
) -> tuple[dict[int, Excerpts], dict[int, Excerpts]]:
    """Split the training songs into two random halves; return excerpts of each.

    Both have songs with longer excerpts, where there are two.
    """
    begin = {bars: data.beginnings(bars, "train") for bars in lengths}
    songs = {bars: data.store.whole["song"][one] for bars, one in begin.items()}
    order = np.random.default_rng(seed).permutation(np.unique(songs[min(lengths)]))
    has_longer = np.isin(order, songs[max(lengths)])
    chosen = order[np.argsort(~has_longer, kind="stable")][::2]
    inside = {bars: np.isin(one, chosen) for bars, one in songs.items()}
    first, second = (
        {bars: limited(one[inside[bars] == side], seed) for bars, one in begin.items()}
        for side in (True, False)
    )
    return (
        {bars: Excerpts.of_songs(data, one, bars) for bars, one in first.items()},
        {bars: Excerpts.of_songs(data, one, bars) for bars, one in second.items()},
    )


def progress(
    data: Collection, source: Collection, seed: int
) -> "Callable[[Model], dict[str, float]]":
    """Return how a model is measured while it trains: by the total of its songs, and its parts.

    Held-out songs judge, without these the training songs. `source`: the songs that a model is
    given which makes none by itself. A translation that is nearly a copy is not measured: it is
    near before it has learned.
    """
    longest = lengths_of(data)[0]
    splits: list[Split] = [one for one in data.splits if len(data.beginnings(longest, one))]
    split = splits[-1]
    hearing = Hearing.of(cut_songs(data, [split], [longest]))
    real = data.rolls(spread(data.indices(split), max(1, REAL_BARS // data.bars)))
    yardstick = Yardstick.of(real, data.grid, data.tracks)
    count = max(1, MEASURED_BARS // data.bars)
    examples = Examples(source.rolls(spread(source.indices("train"), count)))

    def measure(model: "Model") -> dict[str, float]:
        bars = max(longest, data.bars) if model.draws else data.bars
        songs = model.songs(examples, bars, seed)
        cells = model.cells_of(songs, bars)
        if model.translates and onset_f1(examples.items, cells) > COPY:
            return {}
        phrases = yardstick.distance(cut_phrases(cells, data.bars))
        judged = hearing.judge(cut_notes(songs, bars, data, [longest]), phrases)
        return {"distance": judged.total, "phrases": phrases, "time": judged.time}

    return measure


def nats_of(data: Collection) -> "Callable[[Model], dict[str, float]]":
    """Return the measure of nats a note: -log p of phrases under a density, by split.

    A model that knows its songs by heart finds held-out ones unlikely.
    """
    phrases = {
        RECORDED[split]: data.notes(spread(data.indices(split), LIKELY_PHRASES))
        for split in data.splits
    }

    @torch.no_grad()
    def measure(model: "Model") -> dict[str, float]:
        density = model.networks["density"]
        nats = dict.fromkeys(phrases, 0.0)
        for name, songs in phrases.items():
            for first in range(0, len(songs), CHUNK):
                x = to_rows(songs[first : first + CHUNK])
                nats[name] -= float(density(len(x)).log_prob(x).sum())
        return {f"nats_{name}": nats[name] / sum(map(len, phrases[name])) for name in phrases}

    return measure
