"""Sampling of the lookback network, note by note, with features kept up to date."""

from copy import deepcopy

import torch
from jaxtyping import Int
from torch import Tensor, nn

from core.densities.transformer import sample_logits
from musegen.densities.lookback import History, Layout, Note
from musegen.densities.lookback_heads import Logits
from musegen.densities.lookback_likelihood import Likelihood
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.next_note import NO_NOTE, PROFILES, Attribute, NextNote, Profiles
from musegen.densities.note_sequences import Indices, NoteRows, cut_overlaps, pad_rows
from musegen.networks.states import OCTAVE
from musegen.steering import UNSTEERED, Steering

LEAST_UNFINISHED = 0.75
"""The share of a batch's rows that are unfinished; below it, finished rows are removed."""

MOST_NOTES_PER_STEP = 8
"""The largest mean number of notes of a step; a sample is cut off there."""


def by_columns(density: LookbackNetwork) -> LookbackNetwork:
    """Return a copy whose matrices lie in memory by columns.

    On CPUs a product with one row then takes half the time, and with many rows four fifths.
    """
    density = deepcopy(density)
    for module in density.modules():
        if isinstance(module, nn.Linear | nn.GRU) and density.device.type == "cpu":
            for matrix in (p for p in module.parameters() if p.dim() == 2):
                matrix.data = matrix.data.T.contiguous().T
    return density


class Sampler:
    """Samples the notes of a batch of pieces of `steps` steps, with features kept up to date.

    Finished rows are sampled on and their notes discarded, until a quarter of the batch is
    finished and leaves it.
    """

    states = ("rows", "unfinished", "last", "latest", "of_last", "earlier", "loudness", "embedded")
    """State of each row, besides the grids and that of the body."""

    def __init__(
        self,
        density: LookbackNetwork,
        batch: int,
        steps: int,
        steering: Steering = UNSTEERED,
    ):
        self.density = density = by_columns(density)
        self.config = density.config.steered(steering)
        self.batch, self.steps = batch, steps
        layout, device = density.layout, density.device
        self.history = History(layout, batch, steps, density.embedding.start)
        self.rows = torch.arange(batch, device=device)
        self.unfinished = torch.ones_like(self.rows, dtype=torch.bool)
        self.caches = density.body.caches()
        self.last = Note.start(batch, device)
        self.latest = NO_NOTE.to(device).repeat(batch, layout.tracks, 1)
        self.loudness = self.latest.new_zeros(batch, layout.tracks * layout.pitches)
        self.of_last = self.history.cells.new_zeros((batch, layout.pitches), dtype=torch.long)
        self.earlier = self.history.sounding.new_zeros(batch, OCTAVE)
        self.tables = density.embedding.tables(steps)
        self.embedded = density.embedding.start.expand(batch, -1)
        self.sampled: list[Tensor] = []

    def run(self) -> NoteRows:
        """Sample until all pieces have ended."""
        self._sample_all()
        sampled = torch.cat([self._columns(self.last)[:0], *self.sampled])
        row, track, pitch, length, velocity, step = sampled[sampled[:, 0] >= 0].unbind(1)
        note = Note(step, track, pitch, length, velocity)
        rows = pad_rows(to_rows(note, self.density.layout), row, self.batch)
        return cut_overlaps(rows, self.density.layout.grid, self.steps)

    def _sample_all(self) -> None:
        for _ in range(MOST_NOTES_PER_STEP * self.steps):
            note = self._sample_next()
            unfinished = int(self.unfinished.sum())
            if not unfinished:
                break
            self._append(note)
            if unfinished < LEAST_UNFINISHED * len(self.rows):
                self._remove_finished()

    def _sample_next(self) -> NextNote:
        density = self.density
        hidden = density.body(self.embedded[:, None], self.caches)[:, 0]
        history = self.history
        state = (self.last, self.of_last, self.latest)
        note = NextNote(history, history.row, *state, self._sums, self._loudness)
        for attribute, logits in density.heads.conditionals(hidden, note):
            note.choose(attribute, self._sample(attribute, logits))
        return note

    def _sample(self, attribute: Attribute, logits: Logits) -> Indices:
        share = getattr(self.config.nucleus, attribute)
        value = sample_logits(logits, self.config.temperature, share)
        return self._advance(value) if attribute == "advance" else value

    def _advance(self, advance: Indices) -> Indices:
        """Lengthen the advances beyond the choices, and find which pieces have ended."""
        is_beyond = advance == self.density.layout.advances
        if is_beyond.any():
            uniform = torch.rand(len(advance), device=advance.device)
            advance = advance + is_beyond * self.density.heads.beyond(uniform)
        self.unfinished = self.unfinished & (self.last.step + advance < self.steps)
        return self.unfinished * advance

    def _sums(self, advance: Indices) -> Profiles:
        """Sum what sounds there, over the bar before, and over all before."""
        now, bar, passed = self.history.sums(self.last.step, advance).unbind(1)
        self.earlier = self.earlier + passed[:, :OCTAVE]
        sums = torch.cat([now, bar[:, :OCTAVE], self.earlier], 1)
        return sums.view(-1, PROFILES, OCTAVE)  # [n profile pitch_class]

    def _loudness(self, place: Indices) -> Indices:
        """Return the velocity of the last note on each place."""
        return self.loudness.gather(1, place[:, None])[:, 0]

    def _append(self, chosen: NextNote) -> None:
        """Keep the notes, and lay them on the grids; those of finished pieces in vain."""
        note = chosen.note
        columns = self._columns(note)
        self.sampled.append(columns)
        self.history.append(self.history.row, note)
        self.embedded = self.density.embedding(chosen, self.tables)
        self.latest[self.history.row, note.track] = columns[:, 2:]
        self.loudness.scatter_(1, chosen.place[:, None], note.velocity[:, None])
        self.last, self.of_last = note, chosen.patterns

    def _columns(self, note: Note) -> Int[Tensor, "n column"]:
        """Return the row, -1 in finished pieces, the track, and what `latest` holds of notes."""
        row = torch.where(self.unfinished, self.rows, -1)
        columns = (row, note.track, note.pitch, note.length, note.velocity, note.step)
        return torch.stack(columns, 1)

    def _remove_finished(self) -> None:
        self._keep(torch.nonzero(self.unfinished)[:, 0])

    def _keep(self, rows: Indices) -> None:
        """Take these rows of the batch, one perhaps several times."""
        self.history.keep(rows)
        self._keep_states(rows)

    def _keep_states(self, rows: Indices) -> None:
        for name in self.states:
            setattr(self, name, getattr(self, name)[rows])
        for cache in self.caches:
            cache.keep(rows)

    def _read(self, known: NoteRows) -> None:
        """Go on from known notes, of which every row has as many."""
        likelihood = Likelihood(self.density, known, self.steps // self.density.layout.bar)
        self.history = history = likelihood.history
        embedded = likelihood.embedded(likelihood.known_notes())
        self.density.body(embedded[:, :-1], self.caches)
        self.embedded = embedded[:, -1]
        self.last, self.latest = likelihood.last[:, -1], likelihood.latest[:, -1]
        self.of_last = history.cell_patterns(history.row, self.last.step, self.last.track)
        self.earlier = likelihood.totals[1][history.row, self.last.step]
        self.loudness = likelihood.loudness_of_places()


def to_rows(note: Note, layout: Layout) -> Int[Tensor, "n attribute"]:
    """Return notes as rows of x."""
    track = torch.tensor(layout.order, device=note.step.device)[note.track]
    return torch.stack([note.step, track, note.pitch, note.length, note.velocity], 1)
