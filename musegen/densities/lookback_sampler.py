"""Sampling of the lookback network, note by note, with features kept up to date.

On the CPU, wherever the network is: a note is many small operations.
"""

from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from core.data.preparation import Tick
from core.densities.arrays import Indices, columns_of, view
from core.densities.chances import Logits, Shares, sampled
from musegen.densities.growing import GrowingHistory
from musegen.densities.lookback import Layout, Note
from musegen.densities.lookback_likelihood import Likelihood
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.next_note import NO_NOTE, PROFILES, Attribute, NextNote, Profiles
from musegen.densities.note_by_note import ATTRIBUTES, HeadSteps, gates_of, steps_of
from musegen.densities.note_sequences import NoteRows, cut_overlaps, pad_rows
from musegen.networks.states import OCTAVE
from musegen.steering import UNSTEERED, Steering

LEAST_UNFINISHED = 0.9
"""The share of a batch's rows that are unfinished; below it, finished rows are removed."""

MOST_NOTES_PER_STEP = 8
"""The largest mean number of notes of a step; a sample is cut off there."""


class Sampler:
    """Samples the notes of a batch of pieces of `steps` steps, with features kept up to date.

    Its random numbers are numpy's, from a seed that torch's global generator draws. Finished rows
    are sampled on and their notes discarded, until a tenth of the batch is finished and leaves it.
    `tick`: called with bars.
    """

    states = ("rows", "unfinished", "last", "latest", "of_last", "earlier", "loudness", "taken")
    """State of each row, besides the grids and that of the body.

    `taken`: what the body takes of the last note.
    """

    def __init__(
        self,
        density: LookbackNetwork,
        batch: int,
        steps: int,
        steering: Steering = UNSTEERED,
        tick: Tick = lambda done, total: None,
    ):
        self.tick, self.passed_bars = tick, 0
        self.device = density.device
        self.density = density = density if self.device.type == "cpu" else deepcopy(density).cpu()
        self.config = density.config.steered(steering)
        self.batch, self.steps = batch, steps
        layout, embedding = density.layout, density.embedding
        self.opening = self.config.opening_bars * layout.bar  # in steps
        self.body, self.heads = steps_of(density), HeadSteps(density.heads)
        self.gates = gates_of(density.heads)
        self.tables = embedding.tables(steps).mapped(self.body.taken, self.body.bias)
        self.history = GrowingHistory(layout, batch, steps, embedding.start)
        self.chance = np.random.default_rng(int(torch.randint(2**62, ())))
        self.rows = np.arange(batch)
        self.unfinished = np.ones(batch, bool)
        self.last = Note(*map(view, Note.start(batch, density.device).columns))
        self.latest = np.tile(NO_NOTE.numpy(), (batch, layout.tracks, 1))
        self.loudness = np.zeros((batch, layout.tracks * layout.pitches), np.int64)
        self.of_last = self.history.pitches[:, 0, 0]
        self.earlier = self.history.sounding[:, :OCTAVE, 0]
        self.taken = self._taken(view(embedding.start[None])).repeat(batch, 0)
        self.sampled: list[np.ndarray] = []

    def run(self) -> NoteRows:
        """Sample until all pieces have ended."""
        self._sample_all()
        all_sampled = np.concatenate([self._columns(self.last)[:0], *self.sampled])
        row, track, pitch, length, velocity, step = torch.from_numpy(
            all_sampled[all_sampled[:, 0] >= 0]
        ).unbind(1)
        note = Note(step, track, pitch, length, velocity)
        rows = pad_rows(to_rows(note, self.density.layout), row, self.batch)
        return cut_overlaps(rows, self.density.layout.grid, self.steps).to(self.device)

    def _taken(self, embedded: np.ndarray) -> np.ndarray:
        """Return what the body takes of embedded notes."""
        return self.body.taken(embedded) + self.body.bias

    def _sample_all(self) -> None:
        for _ in range(MOST_NOTES_PER_STEP * self.steps):
            note = self._sample_next()
            unfinished = self.unfinished.sum()
            if not unfinished:
                break
            self._append(note)
            self._report(self.last.step.mean(), self.steps)
            if unfinished < LEAST_UNFINISHED * len(self.rows):
                self._remove_finished()

    def _report(self, done: float, steps: int) -> None:
        """Tick with the bars that are passed, where one more is."""
        bars = int(done) // self.density.layout.bar
        if bars > self.passed_bars:
            self.passed_bars = bars
            self.tick(bars, steps // self.density.layout.bar)

    def _sample_next(self) -> NextNote:
        note = self._next()
        self._draw()
        outputs = self.heads(self.body(self.taken))
        for attribute, logits in self.gates.conditionals(outputs, note):
            note.choose(attribute, self._sample(attribute, logits))
        return note

    def _draw(self) -> None:
        """Draw a uniform number for each attribute of the next notes."""
        uniform = self.chance.random((len(ATTRIBUTES), len(self.rows)), np.float32)
        self.uniform = dict(zip(ATTRIBUTES, uniform, strict=True))

    def _next(self) -> NextNote:
        """Return the next notes, of which nothing is chosen."""
        state = (self.last, self.of_last, self.latest)
        return NextNote(self.history, self.history.row, *state, self._sums, self._loudness)

    def _sample(self, attribute: Attribute, logits: Logits) -> Indices:
        share, uniform = self._share(attribute), self.uniform[attribute]
        value = sampled(logits, self.config.temperature, share, uniform)
        return self._advance(value) if attribute == "advance" else value

    def _share(self, attribute: Attribute) -> Shares:
        """Return from which share of the probability rows are sampled: all in an opening."""
        share = np.float32(getattr(self.config.nucleus, attribute))
        return np.where(self.last.step < self.opening, np.float32(1), share)[:, None]  # [n 1]

    def _advance(self, advance: Indices) -> Indices:
        """Lengthen the advances beyond the choices, and find which pieces have ended."""
        is_beyond = advance == self.density.layout.advances
        if is_beyond.any():
            uniform = torch.from_numpy(self.chance.random(len(advance), np.float32))
            advance = advance + is_beyond * view(self.density.heads.beyond(uniform))
        self.unfinished = self.unfinished & (self.last.step + advance < self.steps)
        return self.unfinished * advance

    def _sums(self, advance: Indices) -> Profiles:
        """Sum what sounds there, over the bar before, and over all before."""
        sums = self.history.sums(self.last.step, advance)
        sums = sums.reshape(len(sums), -1, OCTAVE)  # [n sum*kind pitch_class]
        now, bass, bar, _, passed, _ = sums.swapaxes(0, 1)
        self.earlier = self.earlier + passed
        sums = np.concatenate([now, bass, bar, self.earlier], 1)
        return sums.reshape(-1, PROFILES, OCTAVE)  # [n profile pitch_class]

    def _loudness(self, place: Indices) -> Indices:
        """Return the velocity of the last note on each place."""
        return self.loudness[self.history.row, place]

    def _append(self, chosen: NextNote) -> None:
        """Keep the notes, and lay them on the grids; those of finished pieces in vain."""
        note, row = chosen.note, self.history.row
        columns = self._columns(note)
        self.sampled.append(columns)
        self.history.append(row, note)
        self.taken = self.density.embedding(chosen, self.tables)
        self.latest[row, note.track] = columns[:, 2:]
        self.loudness[row, chosen.place] = note.velocity
        self.last, self.of_last = note, chosen.patterns

    def _columns(self, note: Note) -> Int[np.ndarray, "n column"]:
        """Return the row, -1 in finished pieces, the track, and what `latest` holds of notes."""
        row = np.where(self.unfinished, self.rows, -1)
        columns = (row, note.track, note.pitch, note.length, note.velocity, note.step)
        return columns_of(columns)

    def _remove_finished(self) -> None:
        self._keep(np.flatnonzero(self.unfinished))

    def _keep(self, rows: Indices) -> None:
        """Take these rows of the batch, one perhaps several times."""
        self.history.keep(rows)
        self._keep_states(rows)

    def _keep_states(self, rows: Indices) -> None:
        for name in self.states:
            setattr(self, name, getattr(self, name)[rows])
        self.body.keep(rows)

    def _read(self, known: NoteRows) -> None:
        """Go on from known notes, of which every row has as many."""
        likelihood = Likelihood(self.density, known, self.steps // self.density.layout.bar)
        embedded = likelihood.embedded(likelihood.known_notes())
        self.body.read(embedded[:, :-1])
        self.taken = self._taken(view(embedded[:, -1]))
        self.history = history = GrowingHistory.of(likelihood.history)
        self.last = Note(*map(view, likelihood.last[:, -1].columns))
        self.latest = view(likelihood.latest[:, -1])
        self.of_last = history.pitch_patterns(history.row, self.last.step, self.last.track)
        self.earlier = view(likelihood.totals[1])[history.row, self.last.step]
        self.loudness = view(likelihood.loudness_of_places())


def to_rows(note: Note, layout: Layout) -> Int[Tensor, "n attribute"]:
    """Return notes as rows of x."""
    track = torch.tensor(layout.order, device=note.step.device)[note.track]
    return torch.stack([note.step, track, note.pitch, note.length, note.velocity], 1)
