"""Completion of pieces of which some bars are kept: the notes of the others are sampled.

The next note is in one of the slots (step, track), in the order of playing. The hazard of a slot
is the probability that it is there if it is in none before,

    h(slot) = p(slot) / P(no slot before it)

A kept slot has its known outcome, and an open one keeps the network's hazard, so that what is kept
counts and nothing crowds around it (thinning; Lewis and Shedler, 1979). With a density d, the
hazard of each step becomes

    1 - h'(step) = (1 - h(step))^d

in every open slot: the survival function to the power d, proportional hazards (Cox, 1972).

A causal network does not hear what is kept later. Therefore several copies of a piece are
composed, the particles. Each has the weight that the network gives to what is kept, on its way:
from beat to beat the heavier ones replace the others, and one of the last is drawn (a particle
filter; Gordon, Salmond and Smith, 1993).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch.nn import functional as F

from core.data.preparation import Tick
from core.densities.arrays import Indices, take, view
from core.densities.categorical import (
    RARE,
    TINY,
    Logits,
    Probabilities,
    Slots,
    denser,
    descendants,
    hazards,
    log_softmax,
    of_slots,
    probabilities,
    sampled,
    softmax,
)
from core.densities.recurrent import RecurrentSteps
from core.errors import ConfigError
from musegen.densities.kept_notes import KeptGates, KeptNotes
from musegen.densities.lookback import Note, lengths_and_velocities
from musegen.densities.lookback_gates import IMPOSSIBLE
from musegen.densities.lookback_likelihood import to_playing_order
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.lookback_sampler import Continuation, to_rows
from musegen.densities.next_note import Attribute, NextNote, Profiles
from musegen.densities.note_by_note import ATTRIBUTES, NoteOutputs
from musegen.densities.note_sequences import Kept, NoteRows, pad_rows
from musegen.steering import Steering

JUDGING_BARS = 1
"""Bars after the last open one whose notes judge the particles, where no track is kept beside the
open ones: kept tracks have judged them already."""

LEAST_EFFECTIVE = 0.5
"""The share of the particles that must count; below it, they are drawn in proportion."""


class Chosen(NamedTuple):
    """The slots of the next notes: where one is, and where it is the next kept one."""

    advance: Indices
    track: Indices
    is_note: Bool[np.ndarray, " row"]
    is_kept: Bool[np.ndarray, " row"]


class Completion(Continuation):
    """Samples the open bars of a batch of pieces, `particles` of each, beat by beat.

    A row waits at the end of a beat in which something is kept until all particles of its piece
    are there. `of_kept`: what kept notes add to the logits of pitches, of a network that listens.
    """

    body: RecurrentSteps
    of_kept: Float[np.ndarray, "piece step track pitch"] | None = None

    states = (*Continuation.states, "hidden", "place", "begin")

    def __init__(
        self,
        density: LookbackNetwork,
        notes: NoteRows,
        kept: Kept,
        steering: Steering,
        particles: int,
        tick: Tick = lambda done, total: None,
    ):
        layout = density.layout
        if density.config.body != "gru":
            raise ConfigError("only a recurrent body completes songs: model.lookback.body=gru")
        super().__init__(density, len(kept), kept.shape[2] * layout.bar, steering, tick)
        self.chance = np.random.default_rng(int(torch.randint(2**62, ())))
        if kept.any():
            self.opening = 0.0  # what is kept says which kind of song it is
        self.steering, self.particles = steering, particles
        self.beat = layout.grid.steps_per_beat
        of_bar = ~view(kept.cpu())[:, list(layout.order)].swapaxes(1, 2)  # [batch bar track]
        self.open = of_bar.repeat(layout.bar, 1)
        given, is_given = to_playing_order(notes.cpu(), layout)
        is_open = np.flatnonzero(self.open.any((0, 2)))
        self.first = int(is_open[0]) if len(is_open) else self.steps
        judged_later = particles > 1 and not keeps_tracks(kept)
        judging = JUDGING_BARS * layout.bar if judged_later else 0
        self.end = min(self.steps, int(is_open[-1]) + 1 + judging) if len(is_open) else 0
        if self.density.heads.kept and is_given.any():
            self.of_kept = self._of_kept(
                self.density.heads.kept,
                KeptNotes(layout, is_given, given, self.steps, given.step.device),
            )
        self.stop = torch.sigmoid(-self.density.heads.patience).item()
        self._read_beginning(given, is_given)
        self.weight = np.zeros(len(self.rows))
        self.waits = np.zeros(len(self.rows), bool)
        self.is_new = ~self.waits
        self.outside = self._outside()
        self.highest = int(np.flatnonzero(self.outside > IMPOSSIBLE)[-1])

    def _read_beginning(self, given: Note, is_given: Bool[torch.Tensor, "batch note"]) -> None:
        """Read what all pieces keep before the first open bar, then part into particles."""
        earlier = is_given & (given.step < self.first)
        count = int(earlier.sum(1).min())
        if count:
            self._read(_rows_of(given[:, :count], self.density))
        self.place = np.full_like(self.rows, count)
        self.hidden = self.body.begin(self.batch)
        self.given, self.is_given = _with_last(given, is_given, self.steps), view(is_given)
        next_step = self._next_given().step
        self.begin = np.minimum(next_step // self.beat * self.beat, self.first)
        particles = self.rows.repeat(self.particles)
        self.history.keep(particles)
        self._keep_states(particles)

    def _of_kept(
        self, gates: KeptGates, kept_notes: KeptNotes
    ) -> Float[np.ndarray, "piece step track pitch"]:
        """Return what kept notes add to the logits of the pitches in all slots."""
        layout = self.density.layout
        step = torch.arange(self.steps).repeat_interleave(layout.tracks)
        track = torch.arange(layout.tracks).repeat(self.steps)
        of_piece = [
            gates(kept_notes.seen_by(torch.full_like(step, piece)), step, track)
            for piece in range(self.batch)
        ]
        shape = self.batch, self.steps, layout.tracks, layout.pitches
        return view(torch.stack(of_piece)).reshape(shape)  # [piece step track pitch]

    def _next_given(self) -> Note:
        """Return the next kept note of each row."""
        return self.given[self.rows, self.place]

    def _outside(self) -> Float[np.ndarray, " pitch"]:
        """Return what is added to the logits of pitches for the key."""
        layout, key, like = self.density.layout, self.steering.key, self.history.sounding
        if key is None:
            return np.zeros_like(like, shape=layout.pitches)
        added = key.log_odds(layout.grid, self.steering.scale_strength)
        return np.maximum(added, IMPOSSIBLE).astype(like.dtype)

    def run(self) -> NoteRows:
        """Return the composed notes, without the kept ones."""
        while (self.begin < self.end).any():
            self._go_on()
            self._report(self.begin.mean() - self.first, self.end - self.first)
        return self._composed().to(self.device)

    def _go_on(self) -> None:
        """Let each row that does not wait have its next note of the beat, or none."""
        self._remember()
        note, following = self._next(), self._next_given()
        if (of_kept := self.of_kept) is not None:
            note.kept = lambda step, track: of_kept[self.rows, step, track]
        outputs = self.heads(self.hidden)
        _, logits = next(self.gates.conditionals(outputs, note))
        is_open = self._is_open()
        chosen = self._choose(note, following, outputs, logits, is_open)
        self.is_new = chosen.is_note
        if chosen.is_note.any():
            note.choose("advance", chosen.advance)
            note.choose("track", chosen.track)
            self._draw()
            for attribute, logits in self.gates.of_slot(outputs, note):
                value = self._value(attribute, logits, note, following, chosen)
                note.choose(attribute, value)
            self._append_new(note)
            self.place = self.place + chosen.is_kept
        self.waits |= ~chosen.is_note
        self._end_beats(is_open)

    def _draw(self) -> None:
        """Draw a random number for each attribute of the next notes."""
        drawn = self.chance.random((len(ATTRIBUTES), len(self.rows)), np.float32)
        self.uniform = dict(zip(ATTRIBUTES, drawn, strict=True))

    def _remember(self) -> None:
        """Move the body on by the new notes; where none is, it stays as it was."""
        if self.is_new.any():
            new = np.flatnonzero(self.is_new)
            self.hidden[new] = self.body.move(new, self.taken[new])

    def _choose(
        self,
        note: NextNote,
        following: Note,
        outputs: NoteOutputs,
        logits: Logits,
        is_open: Bool[np.ndarray, "row step track"],
    ) -> Chosen:
        """Choose the first slot of the beat in which a note is kept or sampled, if any is."""
        step = self._steps()
        advance = step - self.last.step[:, None]
        of_network, of_sample = self._hazards(note, outputs, logits, advance)
        is_live = (~self.waits & (self.begin < self.end))[:, None]
        may_be = _of_rows(is_open & ~self._is_full(step))
        is_next = _of_rows(self._is_next(following, step))
        of_sample = _of_rows(of_sample)
        found = (self.chance.random(of_sample.shape, np.float32) < of_sample) & may_be
        found = (found | is_next) & is_live
        is_note, at = found.any(1), found.argmax(1)
        is_kept = is_note & take(is_next, at[:, None])[:, 0]
        if self.particles > 1:
            passed = is_live & ~np.logical_or.accumulate(found, 1)
            self._weigh(_of_rows(of_network), passed & ~_of_rows(is_open), at, is_kept)
        step_number, track = at // self.density.layout.tracks, at % self.density.layout.tracks
        advance = self.begin + step_number - self.last.step
        return Chosen(is_note * advance, is_note * track, is_note, is_kept)

    def _hazards(
        self,
        note: NextNote,
        outputs: NoteOutputs,
        logits: Logits,
        advance: Int[np.ndarray, "row step"],
    ) -> tuple[Slots, Slots]:
        """Return the hazards of the beat's slots by the network, and those that are sampled."""
        ahead = np.maximum(advance, 0)
        of_track = self.gates.tracks_ahead(outputs, note, ahead)
        own = np.minimum(ahead, self.density.layout.advances)
        temperature = self.config.temperature

        def slots(p: Probabilities, tracks: Slots, density: float) -> Slots:
            of_step = take(denser(hazards(p, self.stop), density), own)
            of_step[advance < 0] = 0
            return of_slots(of_step, tracks)

        lines = of_track.reshape(-1, of_track.shape[2])  # [row*step track]
        shares = self.nuclei["track"].repeat(of_track.shape[1], 0)
        tracks = probabilities(lines, temperature, shares)
        tracks = tracks.reshape(of_track.shape)  # [row step track]
        steps = probabilities(logits, temperature, self.nuclei["advance"])
        of_sample = slots(steps, tracks, self.steering.density)
        if self.particles == 1:
            return of_sample, of_sample
        return slots(softmax(logits), softmax(of_track), 1.0), of_sample

    def _is_next(
        self, following: Note, step: Int[np.ndarray, "row step"]
    ) -> Bool[np.ndarray, "row step track"]:
        """Return the slot of the next kept note."""
        tracks = self.history.numbers(self.density.layout.tracks)
        at_step = step == following.step[:, None]
        return at_step[..., None] & (tracks == following.track[:, None, None])

    def _is_full(self, step: Int[np.ndarray, "row step"]) -> Bool[np.ndarray, "row step track"]:
        """Return the last note's slot, where no pitch above it is in the key."""
        tracks = self.history.numbers(self.density.layout.tracks)
        is_full = (self.last.pitch >= self.highest)[:, None] & (step == self.last.step[:, None])
        at_last = (tracks == self.last.track[:, None]) & self.history.melodic
        return is_full[..., None] & at_last[:, None]

    def _weigh(
        self,
        hazard: Float[np.ndarray, "row slot"],
        silent: Bool[np.ndarray, "row slot"],
        at: Indices,
        is_kept: Bool[np.ndarray, " row"],
    ) -> None:
        """Weight by the probability of silence in kept slots, and of the kept note's slot."""
        silence = np.log1p(-np.minimum(hazard, 1 - RARE))
        there = np.log(np.maximum(take(hazard, at[:, None])[:, 0], TINY))
        self.weight += (silence * silent).sum(1) + there * is_kept

    def _value(
        self,
        attribute: Attribute,
        logits: Logits,
        note: NextNote,
        following: Note,
        chosen: Chosen,
    ) -> Indices:
        """Return the kept notes' attributes, and sample those of the others."""
        kept = following.pitch if attribute == "pitch" else getattr(following, attribute) - 1
        if attribute == "length":
            kept = kept * note.is_melodic[:, 0]
        proposed = steered = logits
        if attribute == "pitch":
            proposed = logits if note.of_kept is None else logits + note.of_kept
            steered = proposed + self.outside * note.is_melodic
        value = np.where(chosen.is_kept, np.maximum(kept, 0), self._sample(attribute, steered))
        if self.particles > 1:
            self._weigh_value(logits, proposed, value, chosen)
        return value

    def _weigh_value(
        self, logits: Logits, proposed: Logits, value: Indices, chosen: Chosen
    ) -> None:
        """Weight by the chances of kept attributes, and by how much likelier a sampled one is to
        the network than to the gates by which it was sampled."""
        of_network = take(log_softmax(logits), value[:, None])[:, 0]
        self.weight += of_network * chosen.is_kept
        if proposed is not logits:
            of_gates = take(log_softmax(proposed), value[:, None])[:, 0]
            self.weight += (of_network - of_gates) * (chosen.is_note & ~chosen.is_kept)

    def _sums(self, advance: Indices) -> Profiles:
        earlier = self.earlier
        sums = super()._sums(advance)
        self.earlier = np.where(self.is_new[:, None], self.earlier, earlier)
        return sums

    def _append_new(self, chosen: NextNote) -> None:
        """Lay the new notes on the grids."""
        note, rows = chosen.note, np.flatnonzero(self.is_new)
        self.history.append(rows, note[rows])
        self.taken = self.tables.embedded(chosen)
        columns = np.array([note.pitch, note.length, note.velocity, note.step]).T
        self.latest[rows, note.track[rows]] = columns[rows]
        self.loudness[rows, chosen.place[rows]] = note.velocity[rows]
        pairs = zip(note.columns, self.last.columns, strict=True)
        self.last = Note(*(np.where(self.is_new, new, old) for new, old in pairs))
        self.of_last = np.where(self.is_new[:, None], chosen.patterns, self.of_last)

    def _steps(self) -> Int[np.ndarray, "row step"]:
        """Return the steps of each row's beat."""
        return self.begin[:, None] + self.history.numbers(self.beat)

    def _is_open(self) -> Bool[np.ndarray, "row step track"]:
        """Return which slots of each row's beat are open."""
        return self.open[self.rows[:, None], np.minimum(self._steps(), self.steps - 1)]

    def _end_beats(self, is_open: Bool[np.ndarray, "row step track"]) -> None:
        """Begin the next beat: at once where nothing was kept, as no particle has become heavier,
        and else where all particles of the piece wait."""
        waits = self.waits & (self.begin < self.end)
        moves = waits & np.logical_and.reduce(is_open, (1, 2))
        ended = (waits & ~moves).reshape(-1, self.particles).all(1)  # [piece]
        if self.particles > 1 and ended.any():
            self._resample(np.flatnonzero(ended))
        moves |= ended.repeat(self.particles)
        self.begin = self.begin + self.beat * moves
        self.waits &= ~moves

    def _shares(self) -> Float[np.ndarray, "piece particle"]:
        """Return by how much each particle of a piece counts."""
        return softmax(self.weight.reshape(-1, self.particles))  # [piece particle]

    def _resample(self, pieces: Indices) -> None:
        """Let the heavier particles of pieces replace the others, where few of them count."""
        shares = self._shares()
        effective = 1 / (shares**2).sum(1)
        rows = np.arange(len(self.rows))
        parents = rows.reshape(-1, self.particles).copy()  # [piece particle]
        for piece in pieces[effective[pieces] < LEAST_EFFECTIVE * self.particles]:
            parents[piece] = parents[piece, 0] + descendants(shares[piece], self.chance.random())
            self.weight[piece * self.particles : (piece + 1) * self.particles] = 0
        parents = parents.reshape(-1)  # [row]
        changed = np.flatnonzero(parents != rows)
        if len(changed):
            self.history.replace(changed, parents[changed])
            self._keep_states(parents)

    def _composed(self) -> NoteRows:
        """Return the composed notes of one particle of each piece, drawn by its weight."""
        first = self.particles * np.arange(self.batch)
        if self.particles > 1:
            weight = self.weight.reshape(-1, self.particles)  # [piece particle]
            first += sampled(weight, 1.0, 1.0, self.chance.random(self.batch))
        cells = self.history.cells[first, self.history.before :]
        row, number = np.nonzero(self.is_given)
        given = self.given[row, number]
        cells[row, given.step, given.track, given.pitch] = 0
        row, step, track, pitch = np.nonzero(cells)
        note = Note(step, track, pitch, *lengths_and_velocities(cells[row, step, track, pitch]))
        note = Note(*(torch.from_numpy(column).long() for column in note.columns))
        return pad_rows(to_rows(note, self.density.layout), torch.from_numpy(row), self.batch)


def keeps_tracks(kept: Kept) -> bool:
    """Return whether tracks are kept in a bar of which others are open."""
    return bool((kept.any(1) & ~kept.all(1)).any())


def _of_rows(x: np.ndarray) -> np.ndarray:
    """Return the slots of each row, in the order of playing."""
    return x.reshape(len(x), -1)  # [row step*track]


def _with_last(given: Note, is_given: Bool[torch.Tensor, "batch note"], steps: int) -> Note:
    """Return given notes in numpy, with a note after the end behind the last ones."""
    given = Note(*(F.pad(column, (0, 1)) for column in given.columns))
    given.step.masked_fill_(~F.pad(is_given, (0, 1)), steps)
    return Note(*map(view, given.columns))


def _rows_of(note: Note, density: LookbackNetwork) -> NoteRows:
    """Return notes [batch note], none of them padding, as x."""
    flat = note[tuple(torch.ones_like(note.step).nonzero().T)]
    return to_rows(flat, density.layout).view(*note.step.shape, -1)  # [batch note attribute]
