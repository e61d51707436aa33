"""The note transformer: a density over phrases, autoregressive over notes.

A phrase is the sequence of its notes, each predicted from all before it. Cost grows with the notes
and not with the cells, and repeated notes cannot merge. Unlike in Vaswani et al. (NIPS 2017) a
token is a note with all its attributes, and its place is the step at which it starts.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict
from core.data.preparation import Tick
from core.densities.transformer import CausalTransformer
from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from core.training.device import isolated_random_state
from musegen.densities.note_heads import NoteEmbedding, NoteHeads
from musegen.densities.note_sequences import (
    COLUMNS,
    Indices,
    NoteColumns,
    NoteRows,
    PaddedNotes,
    pad_notes,
    previous_notes,
    rows_of,
    to_notes,
    to_x,
    without_velocity,
)
from musegen.networks.states import States
from musegen.roll import Grid
from musegen.tracks import Track

Prefix = Float[Tensor, "batch track state prefix_bar step pitch"]
"""The first bars of phrases."""

LENGTH_GROUPS = 8
"""Groups of similar length into which a batch is divided, so that little is padding."""

LEAST_UNFINISHED = 0.75
"""The share of a batch's rows that are unfinished; below it, finished rows are removed."""

MOST_NOTES_PER_STEP = 8
"""The largest mean number of notes of a step; a sample is cut off there."""


class DensityConfig(Strict):
    """Sizes of the causal transformer, and the temperature of its samples (1: as learned)."""

    width: int = Field(default=256, gt=0)
    layers: int = Field(default=5, gt=0)
    heads: int = Field(default=4, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class NoteDensity(nn.Module):
    """p(x) of phrases of `bars` bars; longer pieces are sampled bar after bar."""

    sustained: Tensor

    def __init__(self, config: DensityConfig, grid: Grid, tracks: tuple[Track, ...], bars: int):
        super().__init__()
        self.config, self.grid, self.tracks, self.bars = config, grid, len(tracks), bars
        self.steps = bars * grid.steps_per_bar
        self.register_buffer("sustained", torch.tensor([not t.is_drum for t in tracks]))
        self.embedding = NoteEmbedding(config.width, self.steps, self.tracks, grid)
        self.transformer = CausalTransformer(config.width, config.layers, config.heads)
        self.heads = NoteHeads(config.width, self.steps, self.sustained, grid.pitches)

    def forward(self, batch: int, c: Tensor | None = None) -> "NoteDistribution":
        return NoteDistribution(self, batch)

    def log_prob(self, notes: PaddedNotes) -> Losses:
        """Return log p of each phrase in nats."""
        previous = self.previous(notes)
        hidden = self.transformer(self.embedding(previous))
        note = notes.places
        end = torch.arange(len(notes.count), device=hidden.device), notes.count
        of_notes = self.heads.log_prob(hidden[note], previous.at(*note), notes.at(*note))
        of_end = self.heads.log_prob_of_end(hidden[end], previous.at(*end))
        return of_end.index_add(0, note[0], of_notes)

    def previous(self, notes: PaddedNotes) -> PaddedNotes:
        """Return the transformer's input: a start token, then the notes."""
        return previous_notes(notes, self.steps, self.tracks)

    def lengthen(self, notes: PaddedNotes, end: int) -> PaddedNotes:
        """Resample the lengths of notes that were cut at step `end`, so that they may sound on."""
        previous = self.previous(notes)
        cut = (notes.is_note & (notes.step + notes.length == end)).nonzero(as_tuple=True)
        hidden = self.transformer(self.embedding(previous))[cut]
        longer = self.heads.sample_longer(
            hidden, previous.at(*cut), notes.at(*cut), self.config.temperature
        )
        length = notes.length.index_put(cut, longer)
        return PaddedNotes(notes.step, notes.track, notes.pitch, length, notes.count)


@dataclass
class NoteDistribution(Distribution):
    """p(x) over a batch of phrases."""

    density: NoteDensity
    batch: int

    @property
    def representative(self) -> NoteRows:
        """Return a sample of a fixed seed: the likeliest sequences are mostly repetitions
        (Holtzman et al., ICLR 2020)."""
        with isolated_random_state(self.density.sustained.device):
            torch.manual_seed(0)
            return self.rsample()

    def rsample(self) -> NoteRows:
        """Sample one phrase for each row of the batch; whole notes pass no gradient."""
        return self.sample(self.density.bars)

    def log_prob(self, value: NoteRows) -> Losses:
        """Return log p of the note sequence of x in nats; velocities are not part of it.

        Other sequences, in which a note cuts one still held on its pitch, can give the same x and
        are left out. Training data has none, so this hardly counts.

        `value` is best on the processor, which counts its notes and forms the groups; all of them
        are copied before the device has work for which a copy would wait.
        """
        notes, device = without_velocity(value.cpu()), self.density.sustained.device
        order = notes.count.argsort()
        rows_of_groups = order.tensor_split(min(LENGTH_GROUPS, len(order)))
        groups = [notes.rows(rows).to(device) for rows in rows_of_groups]
        back = order.argsort().to(device)
        return torch.cat([self.density.log_prob(group) for group in groups])[back]

    def sample(self, bars: int, tick: Tick = lambda done, total: None) -> NoteRows:
        """Sample pieces of any length; each bar is conditioned on `density.bars - 1` before it.

        `tick`: called with bars.
        """
        return rows_of(to_notes(self.sample_cells(bars, tick)))

    @torch.no_grad()
    def sample_cells(self, bars: int, tick: Tick = lambda done, total: None) -> States:
        """Sample pieces as cells."""
        window = self.density.bars
        x = self.continue_from(None)
        while x.shape[3] < bars:
            tick(x.shape[3], bars)
            prefix = x[:, :, :, x.shape[3] - window + 1 :]
            x = torch.cat([x, self.continue_from(prefix)[:, :, :, -1:]], 3)
        return x[:, :, :, :bars]

    @torch.no_grad()
    def continue_from(self, prefix: Prefix | None) -> States:
        """Sample phrases that begin with the bars of `prefix`, fewer than a phrase has.

        A note that reaches their end may sound on. What follows is not empty: else pieces would
        fall silent, since in phrases an empty bar at the end is mostly the end of a song.
        """
        density, steps, notes = self.density, 0, None
        if prefix is not None and prefix.shape[3] > 0:
            steps = prefix.shape[3] * prefix.shape[4]
            notes = density.lengthen(to_notes(prefix), steps)
        sampled = Sampler(density, self.batch, notes, steps).run()
        return to_x(sampled, density.tracks, density.bars, density.grid)


class Sampler:
    """Samples the notes of a batch of phrases after those of a prefix, with a KV cache.

    Finished rows are sampled on and their notes discarded, until a quarter of the batch is
    finished and leaves it.
    """

    def __init__(
        self, density: NoteDensity, batch: int, prefix: PaddedNotes | None, earliest: int
    ):
        self.density, self.batch, self.earliest = density, batch, earliest
        self.rows = torch.arange(batch, device=density.sustained.device)
        self.unfinished = torch.ones_like(self.rows, dtype=torch.bool)
        self.kv_caches = density.transformer.caches()
        self.padding: Indices | None = None
        prefix = prefix or self._no_notes()
        self.last, self.position = self._prefill(prefix), prefix.count
        phrase, position = prefix.places
        self.sampled = [(phrase, position, prefix.at(phrase, position))]

    def run(self) -> PaddedNotes:
        """Sample until all phrases have ended."""
        for _ in range(MOST_NOTES_PER_STEP * self.density.steps):
            self.last = self._sample_next()
            self.unfinished = self.unfinished & (self.last.step < self.density.steps)
            if not self.unfinished.any():
                break
            self._append()
            if self.unfinished.float().mean() < LEAST_UNFINISHED:
                self._remove_finished()
        phrase, position, notes = zip(*self.sampled, strict=True)
        columns = [torch.cat([getattr(n, name) for n in notes]) for name in COLUMNS]
        return pad_notes(NoteColumns(*columns), torch.cat(phrase), torch.cat(position), self.batch)

    def _no_notes(self) -> PaddedNotes:
        none = self.rows.new_zeros(self.batch, 0)
        return PaddedNotes(none, none, none, none, none.sum(1))

    def _prefill(self, prefix: PaddedNotes) -> NoteColumns:
        """Fill the KV cache with all tokens of the prefix but the last, which is returned.

        Rows are aligned at their ends, with padding at their beginnings.
        """
        longest = prefix.step.shape[1]
        padding = longest - prefix.count
        position = torch.arange(longest + 1, device=padding.device) - padding[:, None]
        row, position = self.rows[:, None], position.clamp(min=0)
        aligned = [column[row, position] for column in self.density.previous(prefix).columns]
        if longest:
            self.padding = padding
            embedded = self.density.embedding(NoteColumns(*(column[:, :-1] for column in aligned)))
            self.density.transformer(embedded, self.kv_caches, padding)
        return NoteColumns(*(column[:, -1] for column in aligned))

    def _sample_next(self) -> NoteColumns:
        density = self.density
        embedded = density.embedding(self.last)[:, None]  # [batch 1 width]
        hidden = density.transformer(embedded, self.kv_caches, self.padding)[:, 0]
        return density.heads.sample(hidden, self.last, self.earliest, density.config.temperature)

    def _append(self) -> None:
        """Keep the last notes of unfinished phrases."""
        rows = self.unfinished
        self.sampled.append((self.rows[rows], self.position[rows], self.last.rows(rows)))
        self.position = self.position + 1

    def _remove_finished(self) -> None:
        rows = torch.nonzero(self.unfinished)[:, 0]
        self.rows, self.position = self.rows[rows], self.position[rows]
        self.unfinished, self.last = self.unfinished[rows], self.last.rows(rows)
        self.padding = self.padding[rows] if self.padding is not None else None
        for cache in self.kv_caches:
            cache.keep(rows)
