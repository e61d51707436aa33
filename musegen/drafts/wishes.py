"""Wishes: what users ask for who bring songs, each as a draft.

accompaniment   some tracks are kept
infill          all but some bars
continuation    all that is there, and empty bars after it
bridge          two songs with empty bars between them
remix           sections in another order
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from core.errors import ConfigError
from core.wording import counted
from musegen.drafts.draft import Draft, Kept, Placed, Repeat
from musegen.drafts.source import Source, compare_programs
from musegen.roll import Grid
from musegen.tracks import Track, numbers_of


def blank(tracks: tuple[Track, ...], grid: Grid, bars: int, sounding: Sequence[str] = ()) -> Draft:
    """Return a draft without notes, in which all tracks are composed, or only the `sounding`."""
    kept = np.zeros((len(tracks), bars), bool)
    return Draft(tracks, grid, bars, (), kept).composing(sounding)


def accompaniment(source: Source, keep: Sequence[str], sounding: Sequence[str] = ()) -> Draft:
    """Return a draft that keeps some tracks of a song over its whole length.

    `sounding`: those to compose, without which all others are; what is neither is left out.
    """
    kept = np.zeros((len(source.song.tracks), source.bars), bool)
    kept[numbers_of(keep, source.song.tracks, "--keep")] = True
    draft = _of(source, source.bars, kept).composing(sounding)
    silent = tuple(np.flatnonzero(draft.kept.all(1) & ~kept.all(1)).tolist())
    return replace(draft, placed=tuple(one._replace(silent=silent) for one in draft.placed))


def infill(source: Source, first: int, last: int, tracks: Sequence[str] = ()) -> Draft:
    """Return a draft that keeps all but bars `first` to `last`, counted from 1, of some tracks.

    `tracks`: those to compose; none named are all. `ConfigError` for bars that the song lacks.
    """
    if not 1 <= first <= last <= source.bars:
        why = "the first comes first, as in 5-8" if last < first else ""
        why = why or f"the song has bars 1-{source.bars}"
        raise ConfigError(f"bars {first}-{last} cannot be filled: {why}")
    kept = np.ones((len(source.song.tracks), source.bars), bool)
    every = [track.name for track in source.song.tracks]
    chosen = numbers_of(tracks or every, source.song.tracks, "--tracks")
    kept[chosen, first - 1 : last] = False
    return _of(source, source.bars, kept)


def continuation(source: Source, bars: int) -> Draft:
    """Return a draft that goes on for `bars` bars after a song."""
    if bars < 1:
        raise ConfigError(f"a song is continued by at least 1 bar, not {bars}")
    total = source.bars + bars
    kept = np.broadcast_to(np.arange(total) < source.bars, (len(source.song.tracks), total))
    return _of(source, total, kept.copy())


def bridge(first: Source, last: Source, bars: int) -> Draft:
    """Return a draft of two songs with `bars` bars to compose between them."""
    if bars < 1:
        raise ConfigError(f"a bridge has at least 1 bar, not {bars}")
    compare_programs(first.song, last.song)
    at = first.bars + bars
    total = at + last.bars
    bar = np.arange(total)
    kept = np.broadcast_to((bar < first.bars) | (bar >= at), (len(first.song.tracks), total))
    placed = (Placed(first, 0, first.bars, 0), Placed(last, 0, last.bars, at))
    return Draft(first.song.tracks, first.song.grid, total, placed, kept.copy())


def remix(source: Source, form: str, section_bars: int) -> Draft:
    """Return a draft of a song's sections in the order of `form`; letters it lacks are composed.

    A is the first `section_bars` bars of the song, B the next ones, and so on. Only whole sections
    count. `ConfigError` for a form that is no row of letters, or a song shorter than a section.
    """
    if not (form.isalpha() and form.isascii()):
        raise ConfigError(f"'{form}' is no form: give a letter for each section, as ABAC")
    sections = source.bars // section_bars if section_bars > 0 else 0
    if not sections:
        raise ConfigError(
            f"the song has {counted(source.bars, 'bar')}, too few for sections of {section_bars}: "
            f"--section-bars {max(1, source.bars // 4)}"
        )
    numbers = [ord(letter) - ord("A") for letter in form.upper()]
    placed = tuple(
        Placed(source, number * section_bars, section_bars, place * section_bars)
        for place, number in enumerate(numbers)
        if number < sections
    )
    kept = np.repeat([number < sections for number in numbers], section_bars)
    kept = np.broadcast_to(kept, (len(source.song.tracks), len(kept)))  # [track bar]
    draft = Draft(source.song.tracks, source.song.grid, kept.shape[1], placed, kept.copy())
    repeats = tuple(
        Repeat(numbers.index(number) * section_bars, place * section_bars, section_bars)
        for place, number in enumerate(numbers)
        if number >= sections and number in numbers[:place]
    )
    return replace(draft, repeats=repeats)


def _of(source: Source, bars: int, kept: Kept) -> Draft:
    placed = (Placed(source, 0, source.bars, 0),)
    return Draft(source.song.tracks, source.song.grid, bars, placed, kept)


def random_kept(
    count: int, tracks: int, bars: int, seed: Sequence[int]
) -> Bool[np.ndarray, "draft track bar"]:
    """Return what drafts keep: some tracks, all but a few bars of all tracks, or both, by chance.

    At least one track is composed somewhere.
    """
    chance = np.random.default_rng(seed)
    is_open = chance.random((count, tracks, 1)) < chance.choice([0.25, 0.5, 0.75], (count, 1, 1))
    is_open[np.arange(count), chance.integers(tracks, size=count)] = True
    first, length = chance.integers(bars, size=(2, count, 1, 1))
    bar = np.arange(bars)
    hole = (bar >= first) & (bar < first + np.maximum(1, length // 2))
    kind = chance.choice(3, (count, 1, 1), p=(0.6, 0.2, 0.2))  # tracks, bars, bars of tracks
    return ~np.where(kind == 0, is_open, np.where(kind == 1, hole, is_open & hole))
