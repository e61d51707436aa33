"""The parts of a file, and the tracks that claim them."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from musegen.controls import Controls
from musegen.files.controls import Messages
from musegen.tracks import DRUM_KIT, LAKH, Part, Track, are_known_by_names, instrument_of

NAMES_ALONE = (
    "parts with the names of other instruments have the program of a piano, and are taken for "
    "pianos. Give each its program, and drums channel 10, where you export, or name the parts "
    "with --tracks mine.yaml where you prepare, see docs/tracks.md"
)

READ_BY_NAMES = "parts that have the program of a piano are read by their names"
OF_WRONG_NAMES = (
    "Where that is wrong, give each its program, and drums channel 10, where you export"
)


@dataclass(frozen=True)
class Claims:
    """All parts of a file, and which track claims each.

    tracks: those that there are. owners: the number of the track of each part, see `assign`.
    notes: how many each part has. part: the number of the part of each note of the song.
    """

    tracks: tuple[Track, ...]
    parts: tuple[Part, ...] = ()
    owners: tuple[int, ...] = ()
    notes: tuple[int, ...] = ()
    part: np.ndarray = field(default_factory=partial(np.zeros, 0, np.int64))

    @property
    def unclaimed(self) -> Counter[int]:
        """Return the notes of parts that no track claims, by program; `DRUM_KIT` for drums."""
        counts = Counter[int]()
        for part, notes, owner in zip(self.parts, self.notes, self.owners, strict=True):
            if owner < 0:
                counts[DRUM_KIT if part.is_drum else part.program] += notes
        return counts

    @property
    def silent(self) -> list[str]:
        """Return the names and programs of the parts that no track claims."""
        owned = zip(self.parts, self.owners, strict=True)
        return [f"'{part.name}' (program {part.program})" for part, n in owned if n < 0]

    @cached_property
    def programs(self) -> list[list[int]]:
        """Return the different programs of each track's parts, in their order."""
        found: list[dict[int, None]] = [{} for _ in self.tracks]
        for number, part in zip(self.owners, self.parts, strict=True):
            if number >= 0:
                found[number][part.program] = None
        return [list(programs) for programs in found]

    @property
    def joined(self) -> list[str]:
        """Say of each track that has several instruments with which one new notes sound."""
        return [
            f"{track.name} has parts of {', '.join(map(instrument_of, programs))}: what is "
            f"composed sounds as {instrument_of(programs[0])}"
            for track, programs in zip(self.tracks, self.programs, strict=True)
            if len(programs) > 1 and not track.is_drum
        ]

    @property
    def by_names(self) -> list[str]:
        """Say which parts are read as what their names say; nothing where none is."""
        owned = zip(self.parts, self.owners, strict=True)
        named = {
            part.name: self.tracks[n].name.lower()
            for part, n in owned
            if part.is_by_name and n >= 0
        }
        read = ", ".join(f"'{name}' as {track}" for name, track in named.items())
        return [f"{READ_BY_NAMES}: {read}. {OF_WRONG_NAMES}"] if named else []

    @property
    def doubts(self) -> list[str]:
        """Say where parts are taken for pianos that have the names of other instruments."""
        is_open = self.tracks == LAKH and are_known_by_names(self.parts)
        return [NAMES_ALONE] if is_open else []

    def controls(self, messages: Messages) -> list[dict[int, Controls]]:
        """Return the controls of the parts of each track, by the numbers of the parts."""
        found: list[dict[int, Controls]] = [{} for _ in self.tracks]
        for part, controls in enumerate(messages.controls(self.parts)):
            if self.owners[part] >= 0:
                found[self.owners[part]][part] = controls
        return found
