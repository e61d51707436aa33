"""Sampling of the lookback network, note by note, with features kept up to date.

On the CPU, wherever the network is: a note is many small operations.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.data.preparation import Tick
from core.densities.arrays import Indices, columns_of, view
from core.densities.categorical import Logits, Shares, sampled
from core.densities.streams import Seeds, Streams
from musegen.densities.growing import GrowingHistory
from musegen.densities.lookback import Layout, Note
from musegen.densities.lookback_likelihood import Likelihood
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.next_note import NO_NOTE, PROFILES, Attribute, NextNote, Profiles
from musegen.densities.note_by_note import ATTRIBUTES, HeadSteps, gates_of, steps_of
from musegen.densities.note_sequences import NoteRows, Piece, cut_overlaps
from musegen.networks.states import OCTAVE
from musegen.steering import UNSTEERED, Steering

LEAST_UNFINISHED = 0.95
"""The share of a batch's rows that are unfinished; below it, finished rows are removed."""

MOST_NOTES_PER_STEP = 8
"""The largest mean number of notes of a step; a sample is cut off there."""

DRAWN = (*ATTRIBUTES, "beyond")
"""For what a random number of each note is: its attributes, and the length of a long advance."""

NOTE = tuple(field.name for field in fields(Note))

PASSED = PROFILES
"""The row of the sums over what has passed since the last note; see `GrowingHistory.sums`."""

LATEST = np.array([NOTE.index(name) for name in ("pitch", "length", "velocity", "step")])
"""The attributes of the last note of a track, see `NO_NOTE`."""


class Continuation:
    """Pieces of a batch that go on note by note, up to `steps` steps, with features kept up to
    date.

    `tick`: called with bars.
    """

    states: tuple[str, ...] = ("rows", "last", "latest", "of_last", "earlier", "loudness", "taken")
    """State of each row, besides the grids and that of the body.

    `taken`: what the body takes of the last note.
    """

    uniform: dict[str, Float[np.ndarray, " row"]]
    """A random number for each attribute of the next notes."""

    nuclei: dict[Attribute, Shares]
    """From which share of the probability each attribute of the next notes is sampled."""

    is_opening = True
    """The shares of the next notes may be others: a row is in its opening, or rows changed."""

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
        nucleus = [getattr(self.config.nucleus, attribute) for attribute in ATTRIBUTES]
        self.nucleus = np.array(nucleus, np.float32)[:, None, None]  # [attribute 1 1]
        self.body, self.heads = steps_of(density), HeadSteps(density.heads)
        self.gates = gates_of(density.heads)
        self.tables = embedding.tables(steps).mapped(self.body.taken, self.body.bias)
        self.history = GrowingHistory(layout, batch, steps, embedding.start)
        self.rows = np.arange(batch)
        self.last = Note(*map(view, Note.start(batch, density.device).columns))
        self.latest = np.tile(NO_NOTE.numpy(), (batch, layout.tracks, 1))
        self.loudness = np.zeros((batch, layout.tracks * layout.pitches), np.int64)
        self.of_last = self.history.pitches[:, 0, 0]
        self.earlier = self.history.sounding[:, :OCTAVE, 0]
        self.taken = self._taken(view(embedding.start[None])).repeat(batch, 0)

    def _taken(self, embedded: np.ndarray) -> np.ndarray:
        """Return what the body takes of embedded notes."""
        return self.body.taken(embedded) + self.body.bias

    def _report(self, done: float, steps: int) -> None:
        """Tick with the bars that are passed, where one more is."""
        bars = int(done) // self.density.layout.bar
        if bars > self.passed_bars:
            self.passed_bars = bars
            self.tick(bars, steps // self.density.layout.bar)

    def _next(self) -> NextNote:
        """Return the next notes, of which nothing is chosen."""
        if self.is_opening:
            self.nuclei = self._nuclei()
            self.is_opening = bool((self.last.step < self.opening).any())
        state = (self.last, self.of_last, self.latest)
        return NextNote(self.history, self.history.row, *state, self._sums, self._loudness)

    def _sample(self, attribute: Attribute, logits: Logits) -> Indices:
        share, uniform = self.nuclei[attribute], self.uniform[attribute]
        return sampled(logits, self.config.temperature, share, uniform)

    def _nuclei(self) -> dict[Attribute, Shares]:
        """Return the shares for the next notes: all of the probability in an opening."""
        is_opening = (self.last.step < self.opening)[:, None]  # [n 1]
        shares = np.where(is_opening, np.float32(1), self.nucleus)  # [attribute n 1]
        return dict(zip(ATTRIBUTES, shares, strict=True))

    def _sums(self, advance: Indices) -> Profiles:
        """Sum what sounds there, over the bar before, and over all before."""
        sums = self.history.sums(self.last.step, advance)
        sums = sums.reshape(len(sums), -1, OCTAVE)  # [n sum*kind pitch_class]
        self.earlier = self.earlier + sums[:, PASSED]
        sums[:, PROFILES - 1] = self.earlier
        return sums[:, :PROFILES]

    def _loudness(self, place: Indices) -> Indices:
        """Return the velocity of the last note on each place."""
        return self.loudness[self.history.row, place]

    def _keep_states(self, rows: Indices) -> None:
        """Take the states of these rows of the batch, of one perhaps several times."""
        for name in self.states:
            setattr(self, name, getattr(self, name)[rows])
        self.body.keep(rows)
        self.is_opening = True

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


class Sampler(Continuation):
    """Samples pieces of `steps` steps, each by the random numbers of its seed alone.

    `openings`: seeds of the numbers by which the openings are sampled; those of one seed are the
    same. Finished rows are sampled on and their notes discarded, until enough of the batch are
    finished and leave it. `position`: how many notes the unfinished rows have.
    """

    states = (*Continuation.states, "unfinished")

    def __init__(
        self,
        density: LookbackNetwork,
        seeds: Seeds,
        steps: int,
        steering: Steering = UNSTEERED,
        tick: Tick = lambda done, total: None,
        openings: Seeds | None = None,
    ):
        super().__init__(density, len(seeds), steps, steering, tick)
        self.streams = Streams(seeds, len(DRAWN))
        self.openings = None if openings is None else Streams(openings, len(DRAWN))
        self.unfinished = np.ones(self.batch, bool)
        self.position, self.columns = 0, np.zeros((self.batch, steps, len(NOTE)), np.int32)

    def pieces(self) -> Iterator[Piece]:
        """Yield the notes of each piece, in the order of the seeds, once it has ended."""
        counts: dict[int, int] = {}
        for number in range(self.batch):
            while number not in counts:
                counts |= self._sample_until_ended()
            yield self._piece(number, counts.pop(number))

    @torch.inference_mode()
    def _sample_until_ended(self) -> dict[int, int]:
        """Sample notes until some pieces have ended; return how many notes each of those has."""
        while True:
            before, note = self.unfinished, self._sample_next()
            if self.position == MOST_NOTES_PER_STEP * self.steps:
                self.unfinished = np.zeros_like(before)
            (ended,), count = (before != self.unfinished).nonzero(), self.position
            self._append(note)
            self._report(self._passed(), self.steps)
            if len(ended):
                counts = dict.fromkeys(self.rows[ended].tolist(), count)
                if self.unfinished.sum() < LEAST_UNFINISHED * len(self.rows):
                    self._remove_finished()
                return counts

    def _piece(self, number: int, count: int) -> Piece:
        note = Note(*torch.from_numpy(self.columns[number, :count]).long().unbind(1))
        x = to_rows(note, self.density.layout)[None]
        return cut_overlaps(x, self.density.layout.grid, self.steps)[0].to(self.device)

    def _passed(self) -> float:
        """Return how many steps the pieces have passed, in the mean."""
        left = (self.steps - self.last.step) @ self.unfinished
        return self.steps - left / self.batch

    def _sample_next(self) -> NextNote:
        note = self._next()
        self.uniform = dict(zip(DRAWN, self._uniform(), strict=True))
        outputs = self.heads(self.body(self.taken))
        for attribute, logits in self.gates.conditionals(outputs, note):
            note.choose(attribute, self._sample(attribute, logits))
        return note

    def _uniform(self) -> Float[np.ndarray, "number row"]:
        """Return the random numbers of the next notes."""
        numbers = self.streams.next()
        if not self.openings:
            return numbers
        opens = self.last.step < self.opening
        numbers = np.where(opens, self.openings.next(), numbers)
        if not opens.any():
            self.openings = None
        return numbers

    def _sample(self, attribute: Attribute, logits: Logits) -> Indices:
        value = super()._sample(attribute, logits)
        return self._advance(value) if attribute == "advance" else value

    def _advance(self, advance: Indices) -> Indices:
        """Lengthen the advances beyond the choices, and find which pieces have ended."""
        most = self.density.layout.advances
        if most in advance:
            uniform = torch.from_numpy(self.uniform["beyond"])
            beyond = view(self.density.heads.beyond(uniform))
            advance = advance + (advance == most) * beyond
        self.unfinished = self.unfinished & (self.last.step + advance < self.steps)
        return self.unfinished * advance

    def _append(self, chosen: NextNote) -> None:
        """Keep the notes, and lay them on the grids; those of finished pieces in vain."""
        note, row = chosen.note, self.history.row
        self.history.append(row, note)
        self.taken = self.tables.embedded(chosen)
        columns = columns_of(note.columns)
        self._columns_to(self.position + 1)[self.rows, self.position] = columns
        self.position += 1
        self.latest[row, note.track] = columns.take(LATEST, 1)
        self.loudness[row, chosen.place] = note.velocity
        self.last, self.of_last = note, chosen.patterns

    def _columns_to(self, count: int) -> Int[np.ndarray, "piece note attribute"]:
        """Return the notes of all pieces, with room for so many."""
        if count > self.columns.shape[1]:
            more = [(0, 0), (0, self.columns.shape[1]), (0, 0)]
            self.columns = np.pad(self.columns, more)  # [piece note attribute]
        return self.columns

    def _remove_finished(self) -> None:
        """Remove finished rows; the last rows take their places."""
        stays = self.unfinished
        count = int(stays.sum())
        rows = np.arange(count)
        rows[~stays[:count]] = count + np.flatnonzero(stays[count:])
        self.history.shorten(rows)
        self.streams.keep(rows)
        if self.openings:
            self.openings.keep(rows)
        self._keep_states(rows)


def to_rows(note: Note, layout: Layout) -> Int[Tensor, "n attribute"]:
    """Return notes as rows of x."""
    track = torch.tensor(layout.order, device=note.step.device)[note.track]
    return torch.stack([note.step, track, note.pitch, note.length, note.velocity], 1)
