"""A density over phrases whose unit is the note.

A phrase is the sequence of its notes, each given all before it. The work grows with the notes and
not with the cells, and repeated notes cannot merge.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict
from core.densities.transformer import CausalTransformer
from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from musegen.networks.note_heads import NoteEmbedding, NoteParts
from musegen.networks.note_sequences import (
    COLUMNS,
    Chosen,
    NoteColumns,
    PaddedNotes,
    notes_before,
    pad_notes,
    to_notes,
    to_x,
)
from musegen.networks.states import States
from musegen.roll import Grid
from musegen.tracks import Track

Known = Float[Tensor, "batch track state known_bar step pitch"]
"""The first bars of phrases."""

SIMILAR_LENGTHS = 8
"""Into how many groups of like length a batch is divided, so that little is padding."""

CROWD = 0.75
"""The share of a batch that must still be drawing; below it, those that have ended leave."""

DENSEST = 8
"""Notes that a step holds at most on the average; a sample is cut off there."""


class DensityConfig(Strict):
    """Sizes of the causal transformer, and how daring it samples (1: as it has learned)."""

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
        self.parts = NoteParts(config.width, self.steps, self.sustained, grid.pitches)

    def forward(self, batch: int, c: Tensor | None = None) -> "NoteDistribution":
        return NoteDistribution(self, batch)

    def log_prob(self, notes: PaddedNotes) -> Losses:
        """log p of each phrase in nats."""
        before = self.before(notes)
        hidden = self.transformer(self.embedding(before))
        place = torch.arange(before.step.shape[1], device=hidden.device)
        note, end = (place < notes.count[:, None], place == notes.count[:, None])
        told = self.parts.told(hidden[note], before.at(note), notes.at(note))
        ended = self.parts.ended(hidden[end], before.at(end))
        return ended.index_add(0, torch.nonzero(note)[:, 0], told)

    def before(self, notes: PaddedNotes) -> PaddedNotes:
        """What the transformer reads: a beginning, then the notes."""
        return notes_before(notes, self.steps, self.tracks)

    def lengthened(self, notes: PaddedNotes, end: int) -> PaddedNotes:
        """Notes that were cut at step `end` sound on for as long as it is likely that they do."""
        before = self.before(notes)
        cut = notes.real & (notes.step + notes.length == end)
        cut_before = nn.functional.pad(cut, (0, 1))
        hidden = self.transformer(self.embedding(before))[cut_before]
        told = (before.at(cut_before), notes.at(cut), self.config.temperature)
        length = notes.length.masked_scatter(cut, self.parts.lengthen(hidden, *told))
        return PaddedNotes(notes.step, notes.track, notes.pitch, length, notes.count)


@dataclass
class NoteDistribution(Distribution):
    """p(x) over a batch of phrases."""

    density: NoteDensity
    batch: int

    @property
    def mean(self) -> States:
        raise NotImplementedError("the mean of a density over notes has no closed form")

    def rsample(self) -> States:
        """One phrase for each place of the batch; no gradient passes through whole notes."""
        return self.sample(self.density.bars)

    def log_prob(self, value: States) -> Losses:
        """log p(x) in nats; phrases of like length share a pass, so that little is padding.

        Of the sequence of x itself: those in which a note cuts one still held on its pitch, and
        which `to_x` makes the same, are left out. Training data have none, so this hardly counts.
        """
        notes = to_notes(value)
        order = notes.count.argsort()
        groups = order.tensor_split(min(SIMILAR_LENGTHS, len(order)))
        parts = [self.density.log_prob(notes.rows(rows)) for rows in groups]
        return torch.cat(parts)[order.argsort()]

    @torch.no_grad()
    def sample(self, bars: int) -> States:
        """Pieces of any length: the window moves on a bar at a time and sees the bars before."""
        window = self.density.bars
        x = self.continued(None)
        while x.shape[3] < bars:
            known = x[:, :, :, x.shape[3] - window + 1 :]
            x = torch.cat([x, self.continued(known)[:, :, :, -1:]], 3)
        return x[:, :, :, :bars]

    @torch.no_grad()
    def continued(self, known: Known | None) -> States:
        """NoteDistribution that begin with the `known` bars, fewer than a phrase has.

        A note that reaches their end may sound on. What follows is not empty: else pieces would
        fall silent, since in phrases an empty bar at the end is mostly the end of a song.
        """
        density, steps, told = self.density, 0, None
        if known is not None and known.shape[3] > 0:
            steps = known.shape[3] * known.shape[4]
            told = density.lengthened(to_notes(known), steps)
        notes = Sampler(density, self.batch, told, steps).run()
        return to_x(notes, density.tracks, density.bars, density.grid)


class Sampler:
    """Draws notes for a batch of phrases, after what is known of them.

    A phrase that has ended is drawn on, unheard, until a part of the batch has ended and leaves.
    """

    def __init__(self, density: NoteDensity, batch: int, known: PaddedNotes | None, earliest: int):
        self.density, self.batch, self.earliest = density, batch, earliest
        self.rows = torch.arange(batch, device=density.sustained.device)
        self.alive = torch.ones_like(self.rows, dtype=torch.bool)
        self.kv_caches = density.transformer.kv_caches()
        self.padding: Chosen | None = None
        known = known or self._nothing()
        self.last, self.place = self._read(known), known.count
        heard = known.real
        places = torch.nonzero(heard)
        self.heard = [(places[:, 0], places[:, 1], known.at(heard))]  # phrase, place in it, note

    def run(self) -> PaddedNotes:
        for _ in range(DENSEST * self.density.steps):
            self.last = self._draw()
            self.alive = self.alive & (self.last.step < self.density.steps)
            if not self.alive.any():
                break
            self._hear()
            if self.alive.float().mean() < CROWD:
                self._release()
        phrase, place, notes = zip(*self.heard, strict=True)
        columns = [torch.cat([getattr(n, name) for n in notes]) for name in COLUMNS]
        return pad_notes(NoteColumns(*columns), torch.cat(phrase), torch.cat(place), self.batch)

    def _nothing(self) -> PaddedNotes:
        none = self.rows.new_zeros(self.batch, 0)
        return PaddedNotes(none, none, none, none, none.sum(1))

    def _read(self, known: PaddedNotes) -> NoteColumns:
        """Take in all that is known but its last note, which is returned; ends are aligned."""
        longest = known.step.shape[1]
        filling = longest - known.count
        place = torch.arange(longest + 1, device=filling.device) - filling[:, None]
        row, place = self.rows[:, None], place.clamp(min=0)
        aligned = [column[row, place] for column in self.density.before(known).columns]
        if longest:
            self.padding = filling
            embedded = self.density.embedding(NoteColumns(*(column[:, :-1] for column in aligned)))
            self.density.transformer(embedded, self.kv_caches, filling)
        return NoteColumns(*(column[:, -1] for column in aligned))

    def _draw(self) -> NoteColumns:
        density = self.density
        embedded = density.embedding(self.last)[:, None]
        hidden = density.transformer(embedded, self.kv_caches, self.padding)[:, 0]
        return density.parts.draw(hidden, self.last, self.earliest, density.config.temperature)

    def _hear(self) -> None:
        alive = self.alive
        self.heard.append((self.rows[alive], self.place[alive], self.last.rows(alive)))
        self.place = self.place + 1

    def _release(self) -> None:
        kept = torch.nonzero(self.alive)[:, 0]
        self.rows, self.place, self.alive = (t[kept] for t in (self.rows, self.place, self.alive))
        self.last = self.last.rows(kept)
        self.padding = self.padding[kept] if self.padding is not None else None
        for cache in self.kv_caches:
            cache.keep(kept)
