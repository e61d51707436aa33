"""The lookback network: a density over notes whose logits look back by whole bars.

A recurrent network, or a causal transformer, over the notes remembers the style; what recurs, it
reads off at lags of 1, 2, 4 and 8 bars (`lookback_heads`). Cost grows with the notes.
"""

from copy import deepcopy
from typing import Literal

import torch
from jaxtyping import Bool, Int
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict
from core.densities.recurrent import CausalGRU
from core.densities.transformer import CausalTransformer, sample_logits
from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from core.training.device import isolated_random_state
from musegen.densities.lookback import History, Layout, Note
from musegen.densities.lookback_heads import Logits, LookbackHeads, NoteEmbedding
from musegen.densities.next_note import NO_NOTE, PROFILES, Attribute, NextNote, Profiles
from musegen.densities.note_sequences import Indices, NoteRows, cut_overlaps, pad_rows
from musegen.networks.states import OCTAVE
from musegen.roll import Grid
from musegen.tracks import Track

LEAST_UNFINISHED = 0.75
"""The share of a batch's rows that are unfinished; below it, finished rows are removed."""

MOST_NOTES_PER_STEP = 8
"""The largest mean number of notes of a step; a sample is cut off there."""


class Nucleus(Strict):
    """The share of the probability from which each attribute is sampled; 1: all of it."""

    advance: float = Field(default=0.98, gt=0, le=1)
    track: float = Field(default=0.98, gt=0, le=1)
    pitch: float = Field(default=0.92, gt=0, le=1)
    length: float = Field(default=0.96, gt=0, le=1)
    velocity: float = Field(default=0.98, gt=0, le=1)


class LookbackConfig(Strict):
    """Sizes of the network, its lags in bars, and how it is sampled.

    `harmony`: gates on the pitch classes that sound, and on how long a track has been silent.
    `dropout`: the share of the numbers in the body's input and output that is dropped in
    training. `temperature`: 1 is as learned.
    """

    body: Literal["gru", "transformer"] = "gru"
    width: int = Field(default=256, gt=0)
    layers: int = Field(default=1, gt=0)
    heads: int = Field(default=4, gt=0)
    lags: tuple[int, ...] = Field(default=(1, 2, 4, 8), max_length=6)
    harmony: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    temperature: float = Field(default=1.0, gt=0)
    nucleus: Nucleus = Nucleus()


class LookbackDensity(nn.Module):
    """p(x) of notes over `bars` bars; pieces of any length are sampled.

    Notes longer than `lookback.LENGTH_BARS` are cut to that. A phrase is the beginning of a piece
    that goes on: what counts at its end is that the next note starts after it, and that a note
    which is cut there is at least as long.
    """

    def __init__(self, config: LookbackConfig, grid: Grid, tracks: tuple[Track, ...], bars: int):
        super().__init__()
        self.config, self.bars = config, bars
        self.layout = Layout.of(grid, tracks, config.lags)
        self.embedding = NoteEmbedding(config.width, self.layout, bars, config.harmony)
        self.dropout = nn.Dropout(config.dropout)
        self.body = _body(config)
        self.heads = LookbackHeads(config.width, self.layout, config.harmony)

    def forward(self, batch: int, c: Tensor | None = None) -> "LookbackDistribution":
        return LookbackDistribution(self, batch)

    @property
    def device(self) -> torch.device:
        return self.embedding.start.device


def _body(config: LookbackConfig) -> CausalGRU | CausalTransformer:
    if config.body == "gru":
        return CausalGRU(config.width, config.layers)
    return CausalTransformer(config.width, config.layers, config.heads)


class LookbackDistribution(Distribution):
    """p(x) over a batch of phrases, x [batch note attribute]."""

    def __init__(self, density: LookbackDensity, batch: int):
        self.density, self.batch = density, batch

    @property
    def representative(self) -> NoteRows:
        """Return a sample of a fixed seed: the likeliest sequences are mostly repetitions
        (Holtzman et al., ICLR 2020)."""
        with isolated_random_state(self.density.device):
            torch.manual_seed(0)
            return self.rsample()

    def rsample(self) -> NoteRows:
        """Sample one phrase for each row of the batch; whole notes pass no gradient."""
        return self.sample(self.density.bars)

    def log_prob(self, value: NoteRows) -> Losses:
        """Return log p of each phrase in nats."""
        return Likelihood(self.density, value).log_prob()

    def sample(self, bars: int) -> NoteRows:
        """Sample pieces of any length."""
        with torch.inference_mode():
            x = Sampler(self.density, self.batch, bars * self.density.layout.bar).run()
        return x.clone()  # no longer one of inference mode, which no gradient could use


class Likelihood:
    """The conditionals of all notes of known phrases at once.

    The features of a note are those of sampling: notes at and after it are masked out.
    """

    def __init__(self, density: LookbackDensity, x: NoteRows):
        self.density, layout = density, density.layout
        self.steps, self.batch = density.bars * layout.bar, len(x)
        note, is_note = to_playing_order(x, layout)
        self.history = History(layout, self.batch, self.steps, density.embedding.start)
        self.row, self.position = torch.nonzero(is_note, as_tuple=True)
        self.count, self.positions = is_note.sum(1), is_note.shape[1] + 1
        self.note = note[self.row, self.position]
        self.history.add(self.row, self.note)
        self.totals = self.history.totals()
        self.latest = _latest(note, is_note, layout.tracks)
        self.started = _started(note, self.history)
        self.last = _shifted(note)
        self.cut = torch.nonzero(self.note.step + self.note.length == self.steps)[:, 0]
        self.loudness = _loudness(self.row, self.note, layout)

    def log_prob(self) -> Losses:
        """Return log p of each phrase in nats."""
        known = self._known_notes()
        hidden = self._hidden(known)
        before = hidden[self.row, self.position]
        conditionals = self.density.heads.conditionals(before, known)
        of_each = [self._of(attribute, known, logits) for attribute, logits in conditionals]
        of_end = self._of_end(hidden[self.history.row, self.count])
        return of_end.index_add(0, self.row, torch.stack(of_each).sum(0))

    def _known_notes(self) -> NextNote:
        """Return the notes with all facts about their places."""
        known = self._next(self.row, self.position)
        known.choose("advance", self.note.step - known.last.step)
        known.choose("track", self.note.track)
        known.choose("pitch", self.note.pitch)
        known.choose("length", self.note.length - 1)
        known.choose("velocity", self.note.velocity - 1)
        return known

    def _next(self, row: Indices, position: Indices) -> NextNote:
        """Return what is known at positions of the phrases, where notes are chosen."""
        last, started = self.last[row, position], self.started[row, position]
        of_last = self.history.cell_patterns(row, last.step, last.track.clamp(min=0))
        return NextNote(
            self.history,
            row,
            last,
            of_last,
            self.latest[row, position],
            lambda advance: self._sums(row, last.step + advance, started),
            lambda place: self.loudness,
        )

    def _sums(self, row: Indices, step: Indices, started: Tensor) -> Tensor:
        """Return what sounds at steps before the next note, and what has sounded before."""
        sounding = self.history.classes_at(row, step, started)
        sums = torch.cat([sounding, *(total[row, step] for total in self.totals)], 1)
        return sums.unflatten(1, (PROFILES, OCTAVE))  # [n profile pitch_class]

    def _hidden(self, known: NextNote) -> Tensor:
        """Return the hidden state at the start and after each note, [batch position width]."""
        density, embedding = self.density, self.density.embedding
        embedded = embedding(known, embedding.tables(self.steps))
        x = embedding.start.expand(self.batch, self.positions, -1).to(embedded.dtype)
        x = x.index_put((self.row, self.position + 1), embedded)
        return density.dropout(density.body(density.dropout(x)))

    def _of(self, attribute: Attribute, known: NextNote, logits: Logits) -> Losses:
        """Return log p of a chosen attribute given those before it."""
        log_probs = logits.log_softmax(1)
        if attribute == "advance":
            return self.density.heads.log_prob_of_advance(log_probs, known.advance)
        if attribute == "length":
            return _of_length(log_probs, self.note.length, self.cut)
        velocity = self.note.velocity - 1
        value = {"track": known.track, "pitch": known.pitch, "velocity": velocity}[attribute]
        return log_probs.gather(1, value[:, None])[:, 0]

    def _of_end(self, hidden: Tensor) -> Losses:
        """Return log p that the next note starts after the phrase."""
        end = self._next(self.history.row, self.count)
        log_probs = self.density.heads.advance_logits(hidden, end).log_softmax(1)
        left = self.steps - end.last.step
        return self.density.heads.log_prob_of_later(log_probs, left)


def to_playing_order(x: NoteRows, layout: Layout) -> tuple[Note, Bool[Tensor, "batch note"]]:
    """Return the notes of phrases in the order of playing, and which of them are notes."""
    step, track, pitch, length, velocity = x.long().unbind(2)
    place = torch.tensor(layout.order, device=x.device).argsort()
    track = place[track.clamp(min=0)]
    key = (step * layout.tracks + track) * layout.pitches + pitch
    is_note = step >= 0
    order = key.masked_fill(~is_note, torch.iinfo(key.dtype).max).argsort(1)
    columns = (step, track, pitch, length.clamp(max=layout.longest), velocity)
    return Note(*(c.clamp(min=0).gather(1, order) for c in columns)), is_note.gather(1, order)


def to_rows(note: Note, layout: Layout) -> Int[Tensor, "n attribute"]:
    """Return notes as rows of x."""
    track = torch.tensor(layout.order, device=note.step.device)[note.track]
    return torch.stack([note.step, track, note.pitch, note.length, note.velocity], 1)


def _shifted(note: Note) -> Note:
    """Return the last note before each position and after all, first the start."""
    start = Note.start(len(note.step), note.step.device)[:, None]
    return Note(*(torch.cat(pair, 1) for pair in zip(start.columns, note.columns, strict=True)))


def _latest(note: Note, is_note: Tensor, tracks: int) -> Int[Tensor, "batch position track 4"]:
    """Return the last note of each track before each position and after all."""
    padded = nn.functional.pad(is_note, (1, 0))
    track = nn.functional.pad(note.track, (1, 0))
    position = torch.arange(padded.shape[1], device=track.device)
    of_track = padded[:, :, None] & (
        track[:, :, None] == torch.arange(tracks, device=track.device)
    )
    at = torch.where(of_track, position[:, None], 0).cummax(1).values  # 0: none
    columns = torch.stack([note.pitch, note.length, note.velocity, note.step], 2)
    none = NO_NOTE.to(columns).expand(len(columns), 1, -1)
    rows = torch.arange(len(columns), device=track.device)[:, None, None]
    return torch.cat([none, columns], 1)[rows, at]


def _loudness(row: Indices, note: Note, layout: Layout) -> Indices:
    """Return the velocity of the note before each on its pitch and track; 0 where none is."""
    line = (row * layout.tracks + note.track) * layout.pitches + note.pitch
    order = line.argsort(stable=True)
    line, velocity = line[order], note.velocity[order]
    same = line == nn.functional.pad(line[:-1], (1, 0), value=-1)
    before = torch.where(same, nn.functional.pad(velocity[:-1], (1, 0)), 0)
    return torch.empty_like(before).scatter(0, order, before)


def _started(note: Note, history: History) -> Tensor:
    """Return the pitch classes that start at a note's step before it, then those of the bass."""
    of_class = nn.functional.one_hot(note.pitch % OCTAVE, OCTAVE)
    of_class = of_class * history.melodic[note.track][..., None]
    of_bass = of_class * history.is_bass(note.track)[..., None]
    before = nn.functional.pad(torch.cat([of_class, of_bass], 2).cumsum(1), (0, 0, 1, 0))
    step = nn.functional.pad(note.step, (0, 1), value=-1)
    is_first = step != nn.functional.pad(step[:, :-1], (1, 0), value=-1)
    position = torch.arange(step.shape[1], device=step.device)
    first = torch.where(is_first, position, 0).cummax(1).values
    rows = torch.arange(len(step), device=step.device)[:, None]
    return (before - before[rows, first]).to(history.starts)


def _of_length(log_probs: Logits, length: Indices, cut: Int[Tensor, " cut"]) -> Losses:
    """Return log p of lengths; of the notes that are cut, that they are at least so long."""
    exact = log_probs.gather(1, (length - 1)[:, None])[:, 0]
    choice = 1 + torch.arange(log_probs.shape[1], device=length.device)
    shorter = choice < length[cut][:, None]
    at_least = log_probs[cut].masked_fill(shorter, float("-inf")).logsumexp(1)
    return exact.index_put((cut,), at_least)


def by_columns(density: LookbackDensity) -> LookbackDensity:
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

    def __init__(self, density: LookbackDensity, batch: int, steps: int):
        self.density = density = by_columns(density)
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
        config = self.density.config
        share = getattr(config.nucleus, attribute)
        value = sample_logits(logits, config.temperature, share)
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
        self.history.append(note)
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
        rows = torch.nonzero(self.unfinished)[:, 0]
        self.rows, self.unfinished = self.rows[rows], self.unfinished[rows]
        self.last, self.latest = self.last[rows], self.latest[rows]
        self.of_last, self.earlier = self.of_last[rows], self.earlier[rows]
        self.loudness = self.loudness[rows]
        self.embedded = self.embedded[rows]
        self.history.keep(rows)
        for cache in self.caches:
            cache.keep(rows)
