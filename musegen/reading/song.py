"""A song: a file on the grid, with what is known of how it was read."""

from dataclasses import dataclass, field
from functools import cached_property

from jaxtyping import Float
from numpy import ndarray

from core.wording import counted
from musegen.controls import STILL, Controls
from musegen.files.controls import BENDS, NO_MESSAGES, Messages, differing, shared
from musegen.reading.beside import Beside
from musegen.reading.claims import Claims
from musegen.reading.counting import Counting
from musegen.reading.left_out import LeftOut
from musegen.roll import Cells, Grid, Layer, Mark, Notes, Roll, fill
from musegen.tracks import Track

OWN_PROJECT = "Your own project has them: put what is composed there"


@dataclass(frozen=True, kw_only=True)
class Song:
    """A file on the grid: its kept bars, concatenated.

    The music: `notes`, the number of `bars` and the tempo of each, and `stretches`, (first bar,
    number of bars) of successive bars; between them bars were left out. Its `grid` and, in
    `claims`, its tracks, with the parts of the file that they claim. `origin`: the file's first
    text, in which `write_midi` says where it comes from. `held`: how many notes a pedal lengthens.
    The reading: what was `left_out`, the `counting` of beats and bars, and what the file has
    `beside` its notes.
    """

    notes: Notes
    bars: int
    tempo_bpm: Float[ndarray, " bar"]
    stretches: tuple[tuple[int, int], ...]
    grid: Grid
    claims: Claims
    name: str = ""
    origin: str = ""
    held: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    counting: Counting = field(default_factory=Counting)
    beside: Beside | None = None

    @classmethod
    def of(cls, roll: Roll, name: str = "") -> "Song":
        """Convert a roll to a song of one stretch."""
        return cls(
            notes=roll.notes,
            bars=roll.bars,
            tempo_bpm=roll.tempo_bpm,
            stretches=((0, roll.bars),),
            grid=roll.grid,
            claims=Claims(roll.tracks),
            name=name or roll.name,
        )

    @property
    def tracks(self) -> tuple[Track, ...]:
        return self.claims.tracks

    @property
    def messages(self) -> Messages:
        """Return those that set controllers, `at` steps of the song."""
        return self.beside.messages if self.beside else NO_MESSAGES

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Return the lyrics, markers and cue points in the song's bars, and its keys, in order."""
        return self.beside.marks if self.beside else ()

    @property
    def remarks(self) -> list[str]:
        """Say what a user should know of how the file was read."""
        lost, claims = self.left_out, self.claims
        read = [*lost.remarks(claims.silent), *self.regroupings, *claims.by_names, *self.doubts]
        return [*read, *claims.joined, *lost.doubled]

    @property
    def regroupings(self) -> list[str]:
        """Say how bars of another metre are counted; nothing where all are of the grid's."""
        return self.counting.regroupings(self.grid.metre)

    @property
    def doubts(self) -> list[str]:
        """Say what the file leaves open, how that was read, and how it would be clear."""
        return [*self.left_out.end, *self.counting.doubts, *self.claims.doubts]

    @cached_property
    def controls(self) -> tuple[Controls, ...]:
        """Return the controls of each track, in steps: of several parts those of the first.

        Drums are one channel: see `shared`.
        """
        return tuple(
            (shared(list(parts.values())) if track.is_drum else next(iter(parts.values())))
            if parts
            else STILL
            for track, parts in zip(self.tracks, self._controls_of_parts, strict=True)
        )

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Return the notes of further parts of a track that have another program than its first,
        or are turned otherwise.

        Those of drums are other kits, under the controls of all drums.
        """
        found = list[Layer]()
        for number, parts in enumerate(self._controls_of_parts):
            if not parts:
                continue
            usual, is_drum = self.claims.programs[number][0], self.tracks[number].is_drum
            for part, own_controls in parts.items():
                controls = self.controls[number] if is_drum else own_controls
                one = self.claims.parts[part]
                mine = self.claims.part == part
                is_own = one.program != usual or differing([self.controls[number], controls])
                if is_own and mine.any():
                    where = self.notes.start[mine], self.notes.pitch[mine]
                    own = None if one.program == usual else one.program
                    found.append(Layer(number, *where, controls, own, one.name))
        return tuple(found)

    @property
    def lost_controls(self) -> list[str]:
        """Say which controllers a song that is composed anew does not have."""
        lost = f"not kept: {', '.join(self.messages.used)}. {OWN_PROJECT}"
        return [lost] if self.messages.used else []

    @property
    def lost_pedal(self) -> list[str]:
        """Say what becomes of the pedal; nothing where it holds no note."""
        notes = f"{counted(self.held, 'note')} that it holds"
        sounding = "is as long as it sounds" if self.held == 1 else "are as long as they sound"
        return [f"not kept: the pedal; {notes} {sounding}"] if self.held else []

    @property
    def joined_controls(self) -> list[str]:
        """Say which controls of their own the parts of the drums have, and which are kept."""
        tracks = zip(self.tracks, self._controls_of_parts, strict=True)
        unlike = {
            track.name: differing(list(parts.values()))
            for track, parts in tracks
            if parts and track.is_drum
        }
        bent = ", ".join(name for name, found in unlike.items() if BENDS in found)
        levels = {name: [one for one in found if one != BENDS] for name, found in unlike.items()}
        said = ", ".join(f"{name} in {' and '.join(of)}" for name, of in levels.items() if of)
        first = f"parts of one track differ, of {said}: those of the first part are kept"
        none = f"not kept: pitch bends of {bent}, whose parts differ in them. {OWN_PROJECT}"
        return [remark for remark, names in ((first, said), (none, bent)) if names]

    @cached_property
    def _controls_of_parts(self) -> list[dict[int, Controls]]:
        """Return the controls of the parts of each track, by their numbers."""
        return self.claims.controls(self.messages)

    def cells(self) -> Cells:
        """Convert the notes to cells, without their velocities."""
        return fill(self.notes, len(self.tracks), self.bars, self.grid)

    def roll(self) -> Roll:
        """Convert the notes to a roll."""
        return Roll.of(self.notes, self.tracks, self.grid, self.tempo_bpm, self.name)
