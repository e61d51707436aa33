"""Form: what returns in a song, after how many bars, and how it grows.

Repetition and the similarity of bars: Yu et al., Museformer, NeurIPS 2022. Groove consistency: Wu
and Yang, ISMIR 2020.
"""

import zlib

import numpy as np
from jaxtyping import Bool, Int

from musegen.measures.excerpts import PITCHES, Excerpts, Values, ratio

LAGS = (1, 2, 4, 8)
"""Bars after which repetition is looked for."""

DRIFT_BARS = 4
LONGEST_INTERVAL = 16
"""Inter-onset intervals of this many sixteenths or more are one class."""


def repetition(excerpts: Excerpts, part: str, lag: int) -> Values:
    """Return the share of onsets whose step and pitch have an onset `lag` bars later.

    Over the onsets that have a bar so many bars later; [excerpt 1].
    """
    notes = excerpts.notes
    cell = (excerpts.excerpt * len(excerpts.tracks) + notes.track) * PITCHES + notes.pitch
    chosen = excerpts.part(part)
    returns = _returns(cell[chosen], notes.start[chosen], lag, excerpts)
    has_later = notes.start + lag * excerpts.steps_per_bar < excerpts.steps
    positive = np.zeros(len(notes), bool)
    positive[chosen] = returns
    return excerpts.share(positive, chosen & has_later)


def rhythm_repetition(excerpts: Excerpts, part: str, lag: int) -> Values:
    """Return the share of a track's steps with onsets that have some `lag` bars later."""
    chosen, notes = excerpts.part(part), excerpts.notes
    line = excerpts.excerpt * len(excerpts.tracks) + notes.track
    step = np.unique((line * excerpts.steps + notes.start)[chosen])
    line, start = np.divmod(step, excerpts.steps)
    returns = _returns(line, start, lag, excerpts)
    has_later = start + lag * excerpts.steps_per_bar < excerpts.steps
    excerpt = line // len(excerpts.tracks)
    total, found = (
        np.bincount(excerpt[among], minlength=len(excerpts))
        for among in (has_later, has_later & returns)
    )
    return ratio(found, total)[:, None]


def _returns(
    line: Int[np.ndarray, " onset"],
    start: Int[np.ndarray, " onset"],
    lag: int,
    excerpts: Excerpts,
) -> Bool[np.ndarray, " onset"]:
    """Return which onsets have one on the same line `lag` bars later."""
    later = start + lag * excerpts.steps_per_bar
    present = np.sort(line * excerpts.steps + start)
    return (later < excerpts.steps) & is_in(line * excerpts.steps + later, present)


def is_in(keys: Int[np.ndarray, " key"], present: Int[np.ndarray, " other"]) -> np.ndarray:
    """Return which keys are among `present`, which are sorted."""
    if not len(present):
        return np.zeros(len(keys), bool)
    place = np.minimum(np.searchsorted(present, keys), len(present) - 1)
    return present[place] == keys


def bar_similarities(excerpts: Excerpts) -> np.ndarray:
    """Return intersection over union of the notes of bars b and b + lag, [excerpt lag bar].

    Notes are equal with equal track, step, pitch and length. NaN where both bars are empty, and
    where bar b + lag is beyond the end; the first lag is 1.
    """
    notes, bars, per_bar = excerpts.notes, excerpts.bars, excerpts.steps_per_bar
    longest = excerpts.steps + 1
    step = notes.start % per_bar
    note = ((notes.track * per_bar + step) * PITCHES + notes.pitch) * longest + notes.length
    kinds = int(note.max(initial=0)) + 1
    bar = excerpts.excerpt * bars + excerpts.bar
    key = np.sort(bar * kinds + note)
    counts = np.bincount(bar, minlength=len(excerpts) * bars).reshape(-1, bars)  # [excerpt bar]
    similarity = np.full((len(excerpts), bars - 1, bars), np.nan)
    for lag in range(1, bars):
        both = (excerpts.bar + lag < bars) & is_in((bar + lag) * kinds + note, key)
        common = np.bincount(bar[both], minlength=counts.size)
        common = common.reshape(-1, bars)[:, : bars - lag]  # [excerpt bar]
        union = counts[:, lag:] + counts[:, : bars - lag] - common
        similarity[:, lag - 1, : bars - lag] = ratio(common, union)
    return similarity


def similarity_by_lag(excerpts: Excerpts) -> Values:
    """Return the mean similarity of bars at each lag, [excerpt lag]."""
    return _mean_of_last_axis(bar_similarities(excerpts))


def returning_bars(excerpts: Excerpts) -> Values:
    """Return the mean over bars of the greatest similarity with an earlier bar, [excerpt 1]."""
    similarity = np.nan_to_num(bar_similarities(excerpts), nan=-1.0)
    bars = excerpts.bars
    greatest = np.full((len(excerpts), bars), -1.0)
    for lag in range(1, bars):
        earlier = similarity[:, lag - 1, : bars - lag]
        greatest[:, lag:] = np.maximum(greatest[:, lag:], earlier)
    return _mean_of_last_axis(np.where(greatest < 0, np.nan, greatest)[:, None])


def _mean_of_last_axis(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def groove_consistency(excerpts: Excerpts, part: str) -> Values:
    """Return 1 - the mean Hamming distance of consecutive bars' onsets, [excerpt 1].

    Only pairs of bars of which one has an onset count.
    """
    chosen = excerpts.part(part)
    rhythm = np.zeros((len(excerpts), excerpts.steps), bool)
    rhythm[excerpts.excerpt[chosen], excerpts.notes.start[chosen]] = True
    by_bar = rhythm.reshape(len(excerpts), excerpts.bars, -1)  # [excerpt bar step]
    sounds = np.asarray(by_bar.any(2))
    counted = sounds[:, 1:] | sounds[:, :-1]
    distance = (by_bar[:, 1:] != by_bar[:, :-1]).mean(2)
    return 1 - ratio(np.where(counted, distance, 0).sum(1), counted.sum(1))[:, None]


def compressed_size(excerpts: Excerpts) -> Values:
    """Return the bytes of zlib over the bytes of an excerpt's notes, bar by bar, [excerpt 1]."""
    notes = excerpts.notes
    columns = (notes.start % excerpts.steps_per_bar, notes.track, notes.pitch, notes.length)
    rows = np.stack([np.minimum(column, 255) for column in columns], 1).astype(np.uint8)
    ends = np.cumsum(excerpts.count(excerpts.part("all")))
    parts = [rows[a:b].tobytes() for a, b in zip(np.append(0, ends), ends, strict=False)]
    sizes = [len(zlib.compress(part, 9)) / len(part) if part else np.nan for part in parts]
    return np.array(sizes).reshape(-1, 1)  # [excerpt 1]


def density_drift(excerpts: Excerpts) -> Values:
    """Return log2 of the notes of the last four bars over those of the first four, [excerpt 2].

    The second value is its absolute value. NaN where one of them is empty, or the two overlap.
    """
    first = excerpts.count(excerpts.bar < DRIFT_BARS)
    last = excerpts.count(excerpts.bar >= excerpts.bars - DRIFT_BARS)
    known = (first > 0) & (last > 0) & (excerpts.bars >= 2 * DRIFT_BARS)
    drift = np.where(known, np.log2(np.maximum(last, 1) / np.maximum(first, 1)), np.nan)
    return np.stack([drift, np.abs(drift)], 1)


def inter_onset_intervals(excerpts: Excerpts, part: str) -> Values:
    """Return the shares of 1, 2, ... sixteenths between the successive onsets of a track.

    [excerpt interval]; the last class are 16 or more.
    """
    notes, chosen = excerpts.notes, excerpts.part(part)
    line = excerpts.excerpt * len(excerpts.tracks) + notes.track
    line, start = np.divmod(
        np.unique((line * excerpts.steps + notes.start)[chosen]), excerpts.steps
    )
    same = line[1:] == line[:-1]
    interval = np.minimum(np.diff(start)[same], LONGEST_INTERVAL) - 1
    excerpt = line[1:][same] // len(excerpts.tracks)
    cell = excerpt * LONGEST_INTERVAL + interval
    counts = np.bincount(cell, minlength=len(excerpts) * LONGEST_INTERVAL)
    counts = counts.reshape(-1, LONGEST_INTERVAL)  # [excerpt interval]
    return ratio(counts, counts.sum(1, keepdims=True))
