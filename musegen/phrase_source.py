"""Sources of phrases: what a song that a model makes of a user's songs takes from these."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from musegen.draft import compare_programs, with_programs_of
from musegen.files.midi import Song
from musegen.roll import Notes
from musegen.tracks import Track


class PhraseSource(NamedTuple):
    """The notes of a song from a phrase's first step on, before it negative, the tempo of each
    bar of the phrase, and the song itself."""

    notes: Notes
    tempo_bpm: Float[np.ndarray, " bar"]
    song: Song

    @classmethod
    def of(cls, song: Song, first: int, bars: int) -> "PhraseSource":
        """Return the source of the phrase of `bars` bars that begins with bar `first` of a song.

        Bars after the song have its last tempo.
        """
        tempo = song.tempo_bpm[np.minimum(np.arange(first, first + bars), song.bars - 1)]
        return cls(song.notes.moved(-first * song.grid.steps_per_bar), tempo, song)


def tracks_of(sources: "Sequence[PhraseSource | None]") -> tuple[Track, ...]:
    """Return the tracks with the programs of the songs, of the first one that has a part for it.

    Log where the songs differ. Without a song there are none.
    """
    songs = list({id(one.song): one.song for one in sources if one}.values())
    for first, last in pairwise(songs):
        compare_programs(first, last)
    return with_programs_of(songs) if songs else ()
