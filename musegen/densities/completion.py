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
from torch import Tensor
from torch.nn import functional as F

from core.densities.recurrent import RecurrentState
from core.densities.transformer import nucleus
from core.errors import ConfigError
from musegen.densities.kept_notes import KeptNotes
from musegen.densities.lookback import Note, lengths_and_velocities
from musegen.densities.lookback_heads import IMPOSSIBLE, Logits
from musegen.densities.lookback_likelihood import to_playing_order
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.lookback_sampler import Sampler, to_rows
from musegen.densities.next_note import Attribute, NextNote
from musegen.densities.note_sequences import Indices, Kept, NoteRows, pad_rows
from musegen.steering import Steering

RARE = 1e-6
"""The factor of what lies outside of the nucleus: it is sampled where nothing else can be."""

TINY = 1e-30

JUDGING_BARS = 1
"""Bars after the last open one whose notes judge the particles."""

LEAST_EFFECTIVE = 0.5
"""The share of the particles that must count; below it, they are drawn in proportion."""

Chances = Float[Tensor, "n choice"]
"""Probabilities, or hazards, of choices."""

Slots = Float[Tensor, "row step track"]
"""Probabilities, or hazards, of the slots of a beat."""


def hazards(p: Chances, last: float) -> Chances:
    """Return p(choice) / P(this one or a later one); `last` is that of the last one.

    >>> hazards(torch.tensor([[0.2, 0.4, 0.3, 0.1]]), 0.6)
    tensor([[0.2000, 0.5000, 0.7500, 0.6000]])
    """
    from_here = p.flip(1).cumsum(1).flip(1)
    hazard = (p / from_here.clamp(min=TINY)).clamp(max=1)
    return F.pad(hazard[:, :-1], (0, 1), value=last)


def denser(hazard: Chances, density: float) -> Chances:
    """Return the hazards of the survival function to the power `density`.

    >>> denser(torch.tensor([[0.0, 0.5, 1.0]]), 2.0)
    tensor([[0.0000, 0.7500, 1.0000]])
    """
    return 1 - (1 - hazard) ** density


def of_slots(
    of_step: Float[Tensor, "row step"], of_track: Float[Tensor, "row step track"]
) -> Slots:
    """Return the hazard of each slot, of that of its step and the probabilities of its tracks.

    >>> of_slots(torch.tensor([[0.5]]), torch.tensor([[[0.4, 0.6]]]))
    tensor([[[0.2000, 0.3750]]])
    """
    p = of_step[..., None] * of_track
    before = p.cumsum(2) - p
    return (p / (1 - before).clamp(min=TINY)).clamp(max=1)


def chances(logits: Logits, temperature: float, share: float) -> Chances:
    """Return the probabilities at a temperature, of which those outside the nucleus are `RARE`."""
    logits = logits.float() / temperature
    if share >= 1:
        return logits.softmax(1)
    ordered, classes = nucleus(logits, share)
    inside = torch.zeros_like(logits).scatter(1, classes, (ordered > 0).to(logits.dtype))
    p = logits.softmax(1) * inside.clamp(min=RARE)
    return p / p.sum(1, keepdim=True)


def descendants(share: Float[Tensor, " particle"], uniform: float) -> Indices:
    """Return which particle goes on in each one's place, by systematic resampling.

    A particle that goes on stays in its own place. Kitagawa, 1996.

    >>> descendants(torch.tensor([0.1, 0.0, 0.7, 0.2]), 0.9).tolist()
    [2, 2, 2, 3]
    """
    count = len(share)
    edges = (share.cumsum(0) / share.sum()).clamp(max=1)
    at = (torch.arange(count, device=share.device) + uniform) / count
    children = torch.searchsorted(edges, at.to(edges)).clamp(max=count - 1)
    number = torch.bincount(children, minlength=count)
    parents = torch.arange(count, device=share.device)
    parents[number == 0] = parents.repeat_interleave((number - 1).clamp(min=0))
    return parents


class Chosen(NamedTuple):
    """The slots of the next notes: where one is, and where it is the next kept one."""

    advance: Indices
    track: Indices
    is_note: Bool[Tensor, " row"]
    is_kept: Bool[Tensor, " row"]


class Completion(Sampler):
    """Samples the open bars of a batch of pieces, `particles` of each, beat by beat.

    A row waits at the end of a beat until all particles of its piece are there.
    """

    states = (
        *("rows", "last", "latest", "of_last", "earlier", "loudness", "embedded"),
        *("hidden", "place", "begin"),
    )

    def __init__(
        self,
        density: LookbackNetwork,
        notes: NoteRows,
        kept: Kept,
        steering: Steering,
        particles: int,
    ):
        layout = density.layout
        if density.config.body != "gru":
            raise ConfigError("only a recurrent body completes songs: model.lookback.body=gru")
        super().__init__(density, len(kept), kept.shape[2] * layout.bar, steering)
        self.steering, self.particles = steering, particles
        self.beat = layout.grid.steps_per_beat
        of_bar = ~kept[:, list(layout.order)].transpose(1, 2)  # [batch bar track]
        self.open = of_bar.repeat_interleave(layout.bar, 1)
        self.given, self.is_given = to_playing_order(notes, layout)
        is_open = torch.nonzero(self.open.any(2).any(0))[:, 0]
        self.first = int(is_open[0]) if len(is_open) else self.steps
        judging = JUDGING_BARS * layout.bar if particles > 1 else 0
        self.end = min(self.steps, int(is_open[-1]) + 1 + judging) if len(is_open) else 0
        steps = self.steps
        self.kept_notes = KeptNotes(layout, self.is_given, self.given, steps)
        self._read_beginning()
        self.kept_notes = self.kept_notes.seen_by(self.rows)
        self.weight = self.history.sounding.new_zeros(len(self.rows), dtype=torch.double)
        self.waits = torch.zeros_like(self.rows, dtype=torch.bool)
        self.is_new = ~self.waits
        self.outside = self._outside()
        self.highest = int(torch.nonzero(self.outside > IMPOSSIBLE)[-1])

    def _read_beginning(self) -> None:
        """Read what all pieces keep before the first open bar, then part into particles."""
        earlier = self.is_given & (self.given.step < self.first)
        count = int(earlier.sum(1).min())
        if count:
            self._read(_rows_of(self.given[:, :count], self.density))
        self.place = torch.full_like(self.rows, count)
        self.hidden = self.embedded
        self._after_last()
        next_step = self._next_given().step
        self.begin = torch.minimum(next_step // self.beat * self.beat, self.rows * 0 + self.first)
        self._keep(self.rows.repeat_interleave(self.particles))

    def _after_last(self) -> None:
        """Let a note after the end follow the last given ones."""
        self.given = Note(*(F.pad(column, (0, 1)) for column in self.given.columns))
        self.given.step.masked_fill_(~F.pad(self.is_given, (0, 1)), self.steps)

    def _next_given(self) -> Note:
        """Return the next kept note of each row."""
        return self.given[self.rows, self.place]

    def _outside(self) -> Float[Tensor, " pitch"]:
        """Return what is added to the logits of pitches for the key."""
        layout, key = self.density.layout, self.steering.key
        if key is None:
            return self.tables.rows.new_zeros(layout.pitches)
        added = torch.from_numpy(key.log_odds(layout.grid, self.steering.scale_strength))
        return added.to(self.tables.rows).clamp(min=IMPOSSIBLE)

    def run(self) -> NoteRows:
        """Return the composed notes, without the kept ones."""
        while (self.begin < self.end).any():
            self._go_on()
        return self._composed()

    def _go_on(self) -> None:
        """Let each row that does not wait have its next note of the beat, or none."""
        self._remember()
        state = (self.last, self.of_last, self.latest)
        note = NextNote(self.history, self.history.row, *state, self._sums, self._loudness)
        note.kept = self.kept_notes
        conditionals = self.density.heads.conditionals(self.hidden, note)
        _, logits = next(conditionals)
        chosen = self._choose(note, logits)
        self.is_new = chosen.is_note
        if chosen.is_note.any():
            note.choose("advance", chosen.advance)
            for attribute, logits in conditionals:
                note.choose(attribute, self._value(attribute, logits, note, chosen))
            self._append_new(note)
            self.place = self.place + chosen.is_kept
        self.waits |= ~chosen.is_note
        self._end_beats()

    @property
    def state(self) -> RecurrentState:
        (state,) = self.caches
        assert isinstance(state, RecurrentState)
        return state

    def _remember(self) -> None:
        """Move the body on by the new notes; where none is, it stays as it was."""
        state = self.state
        before = state.layers if state.layers is None else state.layers.clone()
        hidden = self.density.body(self.embedded[:, None], self.caches)[:, 0]
        self.hidden = torch.where(self.is_new[:, None], hidden, self.hidden)
        if before is not None and state.layers is not None:
            state.layers = torch.where(self.is_new[:, None], state.layers, before)

    def _choose(self, note: NextNote, logits: Logits) -> Chosen:
        """Choose the first slot of the beat in which a note is kept or sampled, if any is."""
        step = self.begin[:, None] + self.history.numbers(self.beat)
        of_network, of_sample = self._hazards(note, logits, step - self.last.step[:, None])
        is_open = self.open[self.rows[:, None], step.clamp(max=self.steps - 1)]
        is_next = self._is_next(step)
        is_live = (~self.waits & (self.begin < self.end))[:, None]
        may_be = (is_open & ~self._is_full(step)).flatten(1)  # [row step*track]
        sampled = torch.rand_like(of_sample).flatten(1) < of_sample.flatten(1)  # [row step*track]
        is_next = is_next.flatten(1)  # [row step*track]
        found = (sampled & may_be | is_next) & is_live
        is_note, at = found.any(1), found.int().argmax(1)
        is_kept = is_note & is_next.gather(1, at[:, None])[:, 0]
        if self.particles > 1:
            silent = ~is_open.flatten(1) & is_live & (found.cumsum(1) == 0)  # [row step*track]
            self._weigh(of_network.flatten(1), silent, at, is_kept)  # [row step*track]
        step_number, track = at // self.density.layout.tracks, at % self.density.layout.tracks
        advance = self.begin + step_number - self.last.step
        return Chosen(is_note * advance, is_note * track, is_note, is_kept)

    def _hazards(
        self, note: NextNote, logits: Logits, advance: Int[Tensor, "row step"]
    ) -> tuple[Slots, Slots]:
        """Return the hazards of the beat's slots by the network, and those that are sampled."""
        ahead = advance.clamp(min=0)
        of_track = self.density.heads.tracks_ahead(self.hidden, note, ahead)
        stop = float(torch.sigmoid(-self.density.heads.patience.detach()))
        own = ahead.clamp(max=self.density.layout.advances)
        nuclei, temperature = self.config.nucleus, self.config.temperature

        def slots(p: Chances, tracks: Slots, density: float) -> Slots:
            of_step = denser(hazards(p, stop), density).gather(1, own)
            return of_slots(of_step.masked_fill(advance < 0, 0), tracks)

        lines = of_track.flatten(0, 1)  # [row*step track]
        tracks = chances(lines, temperature, nuclei.track)
        tracks = tracks.unflatten(0, advance.shape)  # [row step track]
        steps = chances(logits, temperature, nuclei.advance)
        of_sample = slots(steps, tracks, self.steering.density)
        if self.particles == 1:
            return of_sample, of_sample
        return slots(logits.float().softmax(1), of_track.float().softmax(2), 1.0), of_sample

    def _is_next(self, step: Int[Tensor, "row step"]) -> Bool[Tensor, "row step track"]:
        """Return the slot of the next kept note."""
        following = self._next_given()
        tracks = self.history.numbers(self.density.layout.tracks)
        at_step = step == following.step[:, None]
        return at_step[..., None] & (tracks == following.track[:, None, None])

    def _is_full(self, step: Int[Tensor, "row step"]) -> Bool[Tensor, "row step track"]:
        """Return the last note's slot, where no pitch above it is in the key."""
        tracks = self.history.numbers(self.density.layout.tracks)
        is_full = (self.last.pitch >= self.highest)[:, None] & (step == self.last.step[:, None])
        at_last = (tracks == self.last.track[:, None]) & self.history.melodic
        return is_full[..., None] & at_last[:, None]

    def _weigh(
        self,
        hazard: Float[Tensor, "row slot"],
        silent: Bool[Tensor, "row slot"],
        at: Indices,
        is_kept: Bool[Tensor, " row"],
    ) -> None:
        """Weight by the probability of silence in kept slots, and of the kept note's slot."""
        silence = (-hazard).log1p().clamp(min=np.log(RARE))
        there = hazard.gather(1, at[:, None])[:, 0].clamp(min=TINY).log()
        self.weight += (silence * silent).sum(1) + there * is_kept

    def _value(
        self, attribute: Attribute, logits: Logits, note: NextNote, chosen: Chosen
    ) -> Indices:
        """Return the kept notes' attributes, and sample those of the others."""
        if attribute == "track":
            return chosen.track
        following = self._next_given()
        kept = following.pitch if attribute == "pitch" else getattr(following, attribute) - 1
        if attribute == "length":
            kept = kept * note.is_melodic[:, 0]
        log_probs = logits.float().log_softmax(1)
        if attribute == "pitch" and note.of_kept is not None:
            logits = logits + note.of_kept
        proposed = logits.float().log_softmax(1)
        if attribute == "pitch":
            logits = logits + self.outside * note.is_melodic
        sampled = self._sample(attribute, logits)
        value = torch.where(chosen.is_kept, kept.clamp(min=0), sampled)
        if self.particles > 1:
            self._weigh_value(log_probs, proposed, value, chosen)
        return value

    def _weigh_value(
        self, log_probs: Logits, proposed: Logits, value: Indices, chosen: Chosen
    ) -> None:
        """Weight by the chances of kept attributes, and by how much likelier a sampled one is to
        the network than to the gates by which it was sampled."""
        at = value[:, None]
        of_network, of_gates = log_probs.gather(1, at)[:, 0], proposed.gather(1, at)[:, 0]
        self.weight += of_network * chosen.is_kept
        self.weight += (of_network - of_gates) * (chosen.is_note & ~chosen.is_kept)

    def _sums(self, advance: Indices) -> Tensor:
        earlier = self.earlier
        sums = super()._sums(advance)
        self.earlier = torch.where(self.is_new[:, None], self.earlier, earlier)
        return sums

    def _append_new(self, chosen: NextNote) -> None:
        """Lay the new notes on the grids."""
        note, rows = chosen.note, torch.nonzero(self.is_new)[:, 0]
        self.history.append(rows, note[rows])
        self.embedded = self.density.embedding(chosen, self.tables)
        columns = torch.stack([note.pitch, note.length, note.velocity, note.step], 1)
        self.latest[rows, note.track[rows]] = columns[rows]
        self.loudness[rows, chosen.place[rows]] = note.velocity[rows]
        pairs = zip(note.columns, self.last.columns, strict=True)
        self.last = Note(*(torch.where(self.is_new, new, old) for new, old in pairs))
        self.of_last = torch.where(self.is_new[:, None], chosen.patterns, self.of_last)

    def _end_beats(self) -> None:
        """Begin the next beat of the pieces of which all particles wait, but after the end."""
        waits = self.waits & (self.begin < self.end)
        ended = waits.view(-1, self.particles).all(1)  # [piece]
        if not ended.any():
            return
        if self.particles > 1:
            self._resample(torch.nonzero(ended)[:, 0])
        moves = ended.repeat_interleave(self.particles)
        self.begin = self.begin + self.beat * moves
        self.waits &= ~moves

    def _resample(self, pieces: Indices) -> None:
        """Let the heavier particles of pieces replace the others, where few of them count."""
        shares = self.weight.view(-1, self.particles).softmax(1)  # [piece particle]
        effective = 1 / shares.square().sum(1)
        rows = torch.arange(len(self.rows), device=self.rows.device)
        parents = rows.view(-1, self.particles).clone()  # [piece particle]
        for piece in pieces[effective[pieces] < LEAST_EFFECTIVE * self.particles].tolist():
            parents[piece] = parents[piece, 0] + descendants(shares[piece], float(torch.rand(())))
            self.weight[piece * self.particles : (piece + 1) * self.particles] = 0
        parents = parents.flatten()  # [row]
        changed = torch.nonzero(parents != rows)[:, 0]
        if len(changed):
            self.history.replace(changed, parents[changed])
            self._keep_states(parents)

    def _composed(self) -> NoteRows:
        """Return the composed notes of one particle of each piece, drawn by its weight."""
        shares = self.weight.view(-1, self.particles).softmax(1)  # [piece particle]
        first = self.particles * torch.arange(self.batch, device=shares.device)
        particle = torch.multinomial(shares, 1)[:, 0] if self.particles > 1 else 0
        cells = self.history.cells[first + particle, self.history.before :]
        row, number = torch.nonzero(self.is_given, as_tuple=True)
        given = self.given[row, number]
        cells[row, given.step, given.track, given.pitch] = 0
        row, step, track, pitch = torch.nonzero(cells, as_tuple=True)
        note = Note(step, track, pitch, *lengths_and_velocities(cells[row, step, track, pitch]))
        return pad_rows(to_rows(note, self.density.layout), row, self.batch)


def _rows_of(note: Note, density: LookbackNetwork) -> NoteRows:
    """Return notes [batch note], none of them padding, as x."""
    flat = note[tuple(torch.ones_like(note.step).nonzero().T)]
    return to_rows(flat, density.layout).view(*note.step.shape, -1)  # [batch note attribute]
