"""Limits on one music file."""

from pydantic import Field

from core.data.limits import Limits

MOST_SONGS, MOST_BARS = 10_000, 1024
"""Songs that are sampled at once, and bars that are composed, at most."""

MOST_TRIES = 256
"""Samples of which the best is kept, at most."""


class MusicLimits(Limits):
    """The largest MIDI file or pianoroll archive that is read."""

    notes: int = Field(default=200_000, gt=0, description="notes of one file")
    beats: int = Field(
        default=20_000, gt=0, description="beats from the start of a file to its end"
    )
    cells: int = Field(
        default=2_000_000, gt=0, description="cells of one file's roll in which a note sounds"
    )
