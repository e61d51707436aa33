"""The score of a MIDI file: its notes in ticks, the parts that play them, its tempi and metres."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from core.data.sources import RejectedFile
from musegen.files.controls import Messages
from musegen.files.keys import is_key, keys_of
from musegen.files.limits import MusicLimits
from musegen.files.parts import CHANNELS, parts_of
from musegen.files.pedal import are_used, hold
from musegen.performance import Performance
from musegen.reading.bars import Bars
from musegen.reading.bends import HeldBends
from musegen.reading.beside import Beside
from musegen.reading.claims import Claims
from musegen.reading.counting import Counting
from musegen.reading.drum_keys import with_keys_of_names
from musegen.reading.left_out import LeftOut
from musegen.reading.metres import Meter, Metres
from musegen.reading.silence import muted
from musegen.reading.song import Song
from musegen.reading.tempi import Tempi
from musegen.reading.timed_notes import TimedNotes
from musegen.reading.tuning import semitones
from musegen.roll import Grid, Notes, separated
from musegen.smf.events import Events, last_end, signatures
from musegen.smf.kinds import TEXT
from musegen.tracks import Part, Track, assign, by_names


@dataclass(frozen=True)
class Score:
    """A file in ticks, within the limits.

    declared: the tick at which it says that it ends. held: the notes that a pedal lengthens.
    muted: those that nobody hears. bends: those that are in the pitches of notes on a grid; a
    performance follows all as they are.
    """

    events: Events
    limits: MusicLimits
    parts: tuple[Part, ...]
    notes: TimedNotes
    tempi: Tempi
    metres: Metres
    declared: int
    held: Bool[np.ndarray, " note"]
    muted: Bool[np.ndarray, " note"]
    bends: HeldBends

    @classmethod
    def of(
        cls,
        events: Events,
        limits: MusicLimits,
        pedal: bool = True,
        names: bool = False,
        bends: bool = False,
    ) -> "Score":
        """Find the notes of a file; `RejectedFile` where there is none, or a limit is passed.

        `pedal`, `names`, `bends`: see `read_midi`.
        """
        keys = int(np.count_nonzero(is_key(events)))
        _check_count((1 + keys) // 2, limits)  # before memory is spent
        down, up = keys_of(events)
        _check_count(len(down), limits)
        part, parts = parts_of(events, down)
        parts = by_names(parts) if names else parts
        notes = TimedNotes.of(events, part, down, up)
        at, numerator, denominator = signatures(events)
        declared = last_end(events)
        end = max(int(notes.end.max()), declared)
        if max(end, int(at.max(initial=0))) > limits.beats * events.ticks_per_beat:
            raise RejectedFile("too-long", f"more than {limits.beats} beats")
        tempi, held = Tempi.of(events), np.zeros(len(notes), bool)
        if pedal and are_used(events):
            channel = _pedals(parts)[part]
            duration, last = hold(events, channel, down, up, notes.pitch)
            held = duration > notes.duration
            notes, end = replace(notes, duration=duration), max(end, last)
        is_drum = np.array([one.is_drum for one in parts])[part]
        if (shift := semitones(events, down)).any():
            notes = notes.shifted(np.where(is_drum, 0, shift))
        last_start = int(notes.start.max())
        beats = (events.ticks_per_beat, end, last_start)
        metres = Metres(at, numerator, denominator, *beats)
        in_pitches = HeldBends(np.zeros(len(notes), np.int64))
        if bends:
            in_pitches = HeldBends.of(events, down, up, ~is_drum)
        marks = held, muted(events, down, up), in_pitches
        return cls(events, limits, tuple(parts), notes, tempi, metres, declared, *marks)

    def song(
        self,
        tracks: tuple[Track, ...],
        grid: Grid,
        meter: Meter,
        pickup_beats: float,
        name: str,
    ) -> Song:
        """Quantise the notes to the grid, in the bars that are kept."""
        bars = Bars.of(self.metres, grid, meter, pickup_beats)
        if not len(bars.starts):
            raise bars.refusal
        owners = tuple(assign(self.parts, tracks))
        quantised, numbers = self._on_grid(bars, owners, tracks)
        muted_notes = int(np.count_nonzero(self.muted))
        notes, stays = separated(quantised, grid)
        numbers = numbers[stays]
        self._check_cells(notes)
        last = int((notes.start + notes.length - 1).max()) // grid.steps_per_bar
        kept = bars.until(max(1 + last, int(np.searchsorted(bars.starts, self.declared))))
        counts = np.bincount(self.notes.part, minlength=len(self.parts)).tolist()
        return Song(
            notes=notes,
            bars=len(kept.starts),
            tempo_bpm=self.tempi.of_bars(kept.starts, grid.metre.quarters),
            stretches=kept.stretches,
            grid=grid,
            claims=Claims(
                tracks=tracks,
                parts=self.parts,
                owners=owners,
                notes=tuple(counts),
                part=self.notes.part[numbers],
            ),
            name=name,
            held=int(np.count_nonzero(self.held[numbers])),
            origin=first_text(self.events),
            left_out=LeftOut(
                notes=len(self.notes) - muted_notes - len(quantised),
                doubling=len(quantised) - len(notes),
                bars=bars.skipped,
                pickup_beats=bars.pickup_beats,
                tempi=self.tempi.left_out,
                muted=muted_notes,
                is_cut=self.events.is_cut,
            ),
            counting=Counting(
                has_beats=self.events.has_beats,
                regrouped=bars.regrouped,
                other_metre=bars.other_metre,
            ),
            beside=Beside(self.events, kept, self.bends.lowered),
        )

    def _on_grid(
        self, bars: Bars, owners: tuple[int, ...], tracks: tuple[Track, ...]
    ) -> tuple[Notes, np.ndarray]:
        """Return the notes that sound, on the grid of the bars, and their numbers."""
        notes = self._in_keys(owners, tracks).shifted(self.bends.semitones)
        quantised, numbers = notes.on_grid(bars, owners, tracks)
        if self.muted.any():
            sounds = ~self.muted[numbers]
            quantised, numbers = quantised[sounds], numbers[sounds]
        if not len(quantised):
            raise RejectedFile(
                "no-notes", "no note is in a kept bar, in the pitch range and in a track's part"
            )
        return quantised, numbers

    def _in_keys(self, owners: Sequence[int], tracks: Sequence[Track]) -> TimedNotes:
        """Return the notes, those of drums in the keys that the names of their parts stand for."""
        owned = zip(self.parts, owners, strict=True)
        are_drums = [part.is_drum or (n >= 0 and tracks[n].is_drum) for part, n in owned]
        return with_keys_of_names(self.notes, self.parts, are_drums)

    def performance(self, tracks: tuple[Track, ...], name: str) -> Performance:
        """Return the notes in seconds, with the controls of each part."""
        start, end = self.tempi.seconds(np.stack([self.notes.start, self.notes.end]))
        claims = Claims(tracks, self.parts, tuple(assign(self.parts, tracks)))
        keys = self._in_keys([-1] * len(self.parts), tracks).pitch
        played = tuple(
            Track(
                name=tracks[number].name if number >= 0 else part.name,
                program=part.program,
                is_drum=part.is_drum,
            )
            for number, part in zip(claims.owners, self.parts, strict=True)
        )
        left_out = LeftOut(tempi=self.tempi.left_out, is_cut=self.events.is_cut)
        messages = Messages.of(self.events)
        messages = replace(messages, at=self.tempi.seconds(messages.at))
        return Performance(
            track=self.notes.part,
            start=start,
            seconds=end - start,
            pitch=keys,
            velocity=self.notes.velocity,
            tracks=played,
            name=name,
            controls=messages.controls(self.parts),
            remarks=(*left_out.remarks([]), *left_out.end, *claims.by_names),
        )

    def _check_cells(self, notes: Notes) -> None:
        if (cells := int(notes.length.sum())) > self.limits.cells:
            raise RejectedFile(
                "too-dense", f"notes sound in {cells} cells, at most {self.limits.cells} are read"
            )


def first_text(events: Events) -> str:
    """Return the first text of a file; empty without one."""
    found = [events.payload(number) for number in events.metas(TEXT)[:1]]
    return found[0].decode(errors="replace") if found else ""


def _check_count(notes: int, limits: MusicLimits) -> None:
    if notes == 0:
        raise RejectedFile("no-notes", "the file has no notes")
    if notes > limits.notes:
        raise RejectedFile("too-many-notes", f"{notes} notes, at most {limits.notes} are read")


def _pedals(parts: list[Part]) -> np.ndarray:
    """Return the channel whose pedal each part has, 16 * port + channel; -1 of drums: none."""
    return np.array(
        [-1 if part.is_drum else part.port * CHANNELS + part.channel - 1 for part in parts]
    )
