"""Sources of phrases: what a song that a model makes of a user's songs takes from these."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from musegen.drafts.source import compare_programs, with_programs_of
from musegen.reading.song import Song
from musegen.roll import Notes, Roll
from musegen.tracks import Track


class PhraseSource(NamedTuple):
    """Songs of which a phrase is made, the nearest first.

    `notes`: those of the nearest song from the phrase's first step on, before it negative.
    `tempo_bpm`: of each bar of the phrase, from there too. `least_bars` and `most_bars`: those of
    the shortest and of the longest song, within the phrase.
    """

    notes: Notes
    tempo_bpm: Float[np.ndarray, " bar"]
    songs: tuple[Song, ...]
    least_bars: int
    most_bars: int

    @classmethod
    def of(cls, song: Song, first: int, bars: int) -> "PhraseSource":
        """Return the source of the phrase of `bars` bars that begins with bar `first` of a song.

        Bars after the song have its last tempo.
        """
        tempo = song.tempo_bpm[np.minimum(np.arange(first, first + bars), song.bars - 1)]
        notes, own = song.notes.moved(-first * song.grid.steps_per_bar), song.bars - first
        return cls(
            notes=notes,
            tempo_bpm=tempo,
            songs=(song,),
            least_bars=min(own, bars),
            most_bars=min(own, bars),
        )

    @classmethod
    def common(cls, sources: "Sequence[PhraseSource | None]") -> "PhraseSource | None":
        """Return the source of a phrase that is made of several; a seed, None, fills a phrase."""
        known = [source for source in sources if source]
        if not known:
            return None
        whole = [] if len(known) == len(sources) else [len(known[0].tempo_bpm)]
        return known[0]._replace(
            songs=tuple(song for source in known for song in source.songs),
            least_bars=min([source.least_bars for source in known] + whole),
            most_bars=max([source.most_bars for source in known] + whole),
        )

    def finished(self, roll: Roll, has_velocities: bool) -> Roll:
        """Return a model's phrase with the tempi, the bars and, if it has none, the velocities.

        What is between songs of several lengths ends with its last note, but not before the
        shortest or after the longest of them: songs in succession leave no gap.
        """
        roll = roll if has_velocities else roll.played_like(self.notes)
        bars = min(max(roll.sounding_bars, self.least_bars), self.most_bars)
        return replace(roll, tempo_bpm=self.tempo_bpm).first(bars)


def tracks_of(sources: "Sequence[PhraseSource | None]") -> tuple[Track, ...]:
    """Return the tracks with the programs of the songs, of the first one that has a part for it.

    Log where the songs differ. Without a song there are none.
    """
    songs = list({id(song): song for one in sources if one for song in one.songs}.values())
    for first, last in pairwise(songs):
        compare_programs(first, last)
    return with_programs_of(songs) if songs else ()
