"""A source: a song that a user brings, as a draft keeps it.

Songs are read twice, on the grid of a model, which composes the rest, and as finely as files are
written.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from core.data.sources import RejectedFile, stem_of_file
from core.errors import UserError
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.reading.metres import Meter
from musegen.reading.song import Song
from musegen.roll import Grid
from musegen.smf.chunks import midi_bytes
from musegen.tracks import Track

LOG = logging.getLogger("pianoreel")

FINEST = 240
"""The most steps of a beat in which a song is read and written."""

FINE_LIMITS = MusicLimits(cells=FINEST * MusicLimits().cells)
"""Limits of the second reading: what the first has read is not too dense on a finer grid."""


@dataclass(frozen=True)
class Source:
    """A user's song, on the grid of a model and on one that keeps its timing."""

    song: Song
    fine: Song

    @classmethod
    def read(
        cls,
        path: Path | str,
        tracks: tuple[Track, ...],
        grid: Grid,
        pickup_beats: float = 0.0,
        meter: Meter = "kept",
    ) -> "Source":
        """Read a MIDI file, and log what of it is left out; `UserError` if it cannot be read.

        `pickup_beats`, `meter`: see `read_midi`.
        """
        try:
            data, name = midi_bytes(path, FINE_LIMITS), stem_of_file(Path(path))
            shared = {"meter": meter, "pickup_beats": pickup_beats}
            read = partial(read_midi, data, tracks, name=name, names=True, bends=False, **shared)
            song, fine = read(grid), read(fine_grid(grid), limits=FINE_LIMITS)
        except RejectedFile as error:
            raise refusal(path, error) from error
        source = cls(song, fine)
        log_remarks(path, source.remarks)
        return source

    @property
    def remarks(self) -> list[str]:
        """Say what a user should know of how the song was read."""
        return [*self.fine.remarks, *self.fine.joined_controls, *self.fine.lost_pedal]

    @property
    def bars(self) -> int:
        return min(self.song.bars, self.fine.bars)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return the tracks, each with the program of the first part that it has claimed."""
        return with_programs_of([self.song])


def read_song(
    path: Path,
    tracks: tuple[Track, ...],
    grid: Grid,
    pickup_beats: float = 0.0,
    meter: Meter = "kept",
) -> Song:
    """Read a MIDI file on the grid of a model, and log what of it is left out.

    `pickup_beats`, `meter`: see `read_midi`. `UserError` if it cannot be read.
    """
    try:
        song = read_midi(
            path, tracks, grid, meter, pickup_beats=pickup_beats, names=True, bends=False
        )
    except RejectedFile as error:
        raise refusal(path, error) from error
    log_remarks(path, [*song.remarks, *song.lost_controls])
    return song


def log_remarks(path: Path | str, remarks: Sequence[str]) -> None:
    """Log what a user should know of how a song was read."""
    for remark in remarks:
        LOG.warning("%s: %s", path, remark)


def with_programs_of(songs: Sequence[Song]) -> tuple[Track, ...]:
    """Return the tracks of songs, each with the program of the first part that it has claimed."""
    found = zip(*(song.claims.programs for song in songs), strict=True)  # by track
    return tuple(
        track.replace(program=next(chain.from_iterable(programs), track.program))
        for track, programs in zip(songs[0].tracks, found, strict=True)
    )


def compare_programs(first: Song, last: Song) -> None:
    """Log which tracks have different programs in two songs."""
    programs = (first.claims.programs, last.claims.programs)
    for track, ours, theirs in zip(first.tracks, *programs, strict=True):
        if ours and theirs and ours[0] != theirs[0] and not track.is_drum:
            LOG.warning(
                "%s has the program %d in %s and %d in %s, and sounds with %d throughout: "
                "--programs %s=%d for the other",
                *(track.name, ours[0], first.name, theirs[0], last.name, ours[0]),
                *(track.name.lower(), theirs[0]),
            )


def refusal(path: Path | str, error: RejectedFile) -> UserError:
    """Return why a song is not one for a model, with the cure."""
    if not error.option.startswith("--meter"):
        return UserError(f"{path}: {error.why}")
    other = f"train a model on songs that `music prepare {error.option}` keeps"
    if error.option.endswith("any"):
        other = "divide all its beats into the model's bars: --meter any"
    cure = "change its time signature in your sequencer where its beats allow it"
    return UserError(f"{path}: {error.why}: {cure}, or {other}")


def fine_grid(grid: Grid) -> Grid:
    """Return a grid of the same bars with all of MIDI's pitches and many more steps."""
    steps = FINEST // grid.steps_per_beat * grid.steps_per_beat
    return grid.replace(steps_per_beat=steps, lowest_pitch=0, pitches=128)
