"""A density over phrases whose unit is the note.

A phrase is the list of its notes in order of (step, track, pitch). Each note is told in four
parts, each given all before it:

    p(advance) p(track given advance) p(pitch given .. track) p(length given .. pitch)

where `advance` is how many steps it starts after the note before, and one more advance ends the
phrase. The work grows with the notes and not with the cells, and repeated notes cannot merge.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from core.autoregressive import CausalTransformer, Memory, Parts, choose, log_chosen
from core.config import Strict
from core.distributions import Distribution
from core.shapes import Losses
from musegen.roll import Grid, Track
from musegen.states import States

SIMILAR_LENGTHS = 8
"""Into how many groups of like length a batch is divided, so that little is padding."""

Padded = Int[Tensor, "batch note"]
Chosen = Int[Tensor, " n"]
Hidden = Float[Tensor, "n width"]


class DensityConfig(Strict):
    """Sizes of the causal transformer, and how daring it samples (1: as it has learned)."""

    width: int = Field(default=256, gt=0)
    layers: int = Field(default=5, gt=0)
    heads: int = Field(default=4, gt=0)
    temperature: float = Field(default=1.0, gt=0)


@dataclass
class Sequences:
    """Notes of a batch of phrases, padded at the end; `count` [batch] are real."""

    step: Padded
    track: Padded
    pitch: Padded
    length: Padded
    count: Chosen

    def rows(self, rows: Tensor) -> "Sequences":
        """Some of the phrases, no longer than the longest of them."""
        longest = int(self.count[rows].max())
        cut = [getattr(self, f.name)[rows][:, :longest] for f in fields(self)[:4]]
        return Sequences(*cut, self.count[rows])


def to_sequences(x: States) -> Sequences:
    """Phrases as notes, ordered by (step, track, pitch).

    >>> x = torch.zeros(1, 1, 2, 1, 4, 3)
    >>> x[0, 0, 0, 0, 1:3, 2] = 1
    >>> x[0, 0, 1, 0, 1, 2] = 1
    >>> notes = to_sequences(x)
    >>> notes.step.tolist(), notes.pitch.tolist(), notes.length.tolist()
    ([[1]], [[2]], [[2]])
    """
    sounding, onset = (x > 0.5).flatten(3, 4).permute(2, 0, 3, 1, 4)  # [batch step track pitch]
    batch, step, track, pitch = torch.nonzero(onset, as_tuple=True)
    ends = _next_end(sounding & ~onset)
    length = ends[batch, step + 1, track, pitch] - step
    count = torch.bincount(batch, minlength=len(x))
    place = torch.arange(len(batch), device=x.device) - (count.cumsum(0) - count)[batch]
    padded = [_pad(batch, place, values, count) for values in (step, track, pitch, length)]
    return Sequences(*padded, count)


def _next_end(held: Tensor) -> Tensor:
    """The first step >= each step that is not held, [batch steps+1 track pitch]."""
    steps = held.shape[1]
    here = torch.arange(steps, device=held.device)[None, :, None, None]
    ends = torch.where(held, steps, here)
    last = torch.full_like(ends[:, :1], steps)
    return torch.cat([ends, last], 1).flip(1).cummin(1).values.flip(1)


def _pad(batch: Tensor, place: Tensor, values: Tensor, count: Tensor) -> Padded:
    padded = values.new_zeros(len(count), int(count.max()))
    padded[batch, place] = values
    return padded


def to_x(notes: Sequences, tracks: int, bars: int, grid: Grid) -> States:
    """The inverse of `to_sequences`; of two notes on one pitch the later cuts the earlier."""
    steps = bars * grid.steps_per_bar
    shape = (len(notes.count), tracks, steps, grid.pitches)
    device = notes.step.device
    real = torch.arange(notes.step.shape[1], device=device) < notes.count[:, None]
    batch = torch.nonzero(real)[:, 0]
    step, track, pitch, length = (getattr(notes, f.name)[real] for f in fields(notes)[:4])
    onset = torch.zeros(shape, dtype=torch.bool, device=device)
    onset[batch, track, step, pitch] = True
    reach = torch.zeros(shape, dtype=torch.int64, device=device)
    reach[batch, track, step, pitch] = step + length  # exclusive end, known from the onset on
    latest = torch.where(onset, torch.arange(steps, device=device)[:, None], 0).cummax(2).values
    ends = reach.gather(2, latest)
    sounding = torch.arange(steps, device=device)[:, None] < ends
    x = torch.stack([sounding, onset], 2).float()
    return x.unflatten(3, (bars, grid.steps_per_bar))


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

    def forward(self, batch: int, c: Tensor | None = None) -> "Phrases":
        return Phrases(self, batch)

    def log_prob(self, notes: Sequences) -> Losses:
        """log p of each phrase in nats."""
        before = notes_before(notes, self.steps, self.tracks)
        hidden = self.transformer(self.embedding(before))
        place = torch.arange(before.step.shape[1], device=hidden.device)
        note, end = (place < notes.count[:, None], place == notes.count[:, None])
        told = self.parts.told(hidden[note], _flat(before, note), _flat(notes, note))
        ended = self.parts.ended(hidden[end], _flat(before, end))
        return ended.index_add(0, torch.nonzero(note)[:, 0], told)


@dataclass
class Told:
    """One note for each of n phrases (or places): what was told of it."""

    step: Chosen
    track: Chosen
    pitch: Chosen
    length: Chosen


def _flat(notes: Sequences, places: Tensor) -> Told:
    """The notes at some places [batch place]; past the padding there are none to be had."""
    places = places[:, : notes.step.shape[1]]
    return Told(*(getattr(notes, f.name)[places] for f in fields(Told)))


def notes_before(notes: Sequences, steps: int, tracks: int) -> Sequences:
    """At each place the note before it; at the first a beginning (step `steps`, track `tracks`)."""
    first = {"step": steps, "track": tracks, "pitch": 0, "length": 0}
    shifted = [
        torch.nn.functional.pad(getattr(notes, name), (1, 0), value=value)
        for name, value in first.items()
    ]
    return Sequences(*shifted, notes.count + 1)


class NoteEmbedding(nn.Module):
    """A note, or the beginning, as a vector: the sum of what its parts mean."""

    def __init__(self, width: int, steps: int, tracks: int, grid: Grid):
        super().__init__()
        self.steps_per_bar, self.pitches = grid.steps_per_bar, grid.pitches
        self.step, self.in_bar = _table(steps + 1, width), _table(grid.steps_per_bar, width)
        self.track, self.pitch_class = _table(tracks + 1, width), _table(12, width)
        self.pitch = _table((tracks + 1) * grid.pitches, width)
        self.length = _table(steps + 1, width)

    def forward(self, note: Sequences | Told) -> Tensor:
        meanings = [
            self.step(note.step),
            self.in_bar(note.step % self.steps_per_bar),
            self.track(note.track),
            self.pitch(note.track * self.pitches + note.pitch),
            self.pitch_class(note.pitch % 12),
            self.length(note.length),
        ]
        return torch.stack(meanings).sum(0)


def _table(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


class NoteParts(nn.Module):
    """The four conditionals of a note; only legal choices have any probability.

    Notes go forwards in (step, track, pitch); a note ends within the phrase; drums have length 1.
    """

    def __init__(self, width: int, steps: int, sustained: Tensor, pitches: int):
        super().__init__()
        self.steps, self.sustained, self.pitches = steps, sustained, pitches
        tracks = len(sustained)
        self.advance = nn.Linear(width, steps + 1)  # the last choice ends the phrase
        self.track, self.pitch = _reader(width, tracks), _reader(width, pitches)
        self.length = _reader(width, steps)
        self.of_advance, self.of_step = _table(steps, width), _table(steps, width)
        self.of_track, self.of_pitch = _table(tracks, width), _table(tracks * pitches, width)

    def told(self, hidden: Hidden, before: Told, note: Told) -> Losses:
        """log p of each note given what was before it, [n]."""
        now = before.step % self.steps
        total = log_chosen(self.advances(hidden, before), note.step - now)
        hidden = self.after_step(hidden, before, note.step)
        total = total + log_chosen(self.tracks(hidden, before, note.step), note.track)
        hidden = hidden + self.of_track(note.track)
        total = total + log_chosen(self.pitch_choices(hidden, before, note), note.pitch)
        hidden = hidden + self.of_pitch(note.track * self.pitches + note.pitch)
        return total + log_chosen(self.lengths(hidden, note), note.length - 1)

    def ended(self, hidden: Hidden, before: Told) -> Losses:
        """log p that no further note follows, [n]."""
        end = torch.full_like(before.step, self.steps)
        return log_chosen(self.advances(hidden, before), end)

    def draw(self, hidden: Hidden, before: Told, earliest: int, temperature: float) -> Told:
        """A next note for each row, not before step `earliest`; step `steps` means the end."""
        now = before.step % self.steps
        logits = self.advances(hidden, before)
        ahead = now[:, None] + torch.arange(self.steps + 1, device=now.device)
        early = (ahead < earliest) & (ahead - now[:, None] < self.steps)
        advance = choose(_forbid(logits, early), temperature)
        ended = advance == self.steps
        step = torch.where(ended, -1, now + advance)  # whose note is drawn too, and forgotten
        hidden = self.after_step(hidden, before, step.clamp(min=0))
        track = choose(self.tracks(hidden, before, step), temperature)
        hidden = hidden + self.of_track(track)
        note = Told(step, track, track, track)
        note.pitch = choose(self.pitch_choices(hidden, before, note), temperature)
        hidden = hidden + self.of_pitch(track * self.pitches + note.pitch)
        note.length = choose(self.lengths(hidden, note), temperature) + 1
        note.step = torch.where(ended, self.steps, step)
        return note

    def advances(self, hidden: Hidden, before: Told) -> Tensor:
        """Logits of the advance, the last one the end; [n steps+1]."""
        choice = torch.arange(self.steps + 1, device=hidden.device)
        too_far = (before.step % self.steps)[:, None] + choice >= self.steps
        spent = self._last_of_step(before)[:, None] & (choice == 0)
        return _forbid(self.advance(hidden), (too_far & (choice < self.steps)) | spent)

    def after_step(self, hidden: Hidden, before: Told, step: Chosen) -> Hidden:
        advance = (step - before.step % self.steps).clamp(min=0)
        return hidden + self.of_advance(advance) + self.of_step(step)

    def tracks(self, hidden: Hidden, before: Told, step: Chosen) -> Tensor:
        """Logits of the track, [n track]."""
        choice = torch.arange(len(self.sustained), device=hidden.device)
        first = before.track + (before.pitch == self.pitches - 1).long()
        passed = (step == before.step)[:, None] & (choice < first[:, None])
        return _forbid(self.track(hidden), passed)

    def pitch_choices(self, hidden: Hidden, before: Told, note: Told) -> Tensor:
        """Logits of the pitch, [n pitch]."""
        choice = torch.arange(self.pitches, device=hidden.device)
        same = (note.step == before.step) & (note.track == before.track)
        return _forbid(self.pitch(hidden), same[:, None] & (choice <= before.pitch[:, None]))

    def lengths(self, hidden: Hidden, note: Told) -> Tensor:
        """Logits of length 1, 2 ... steps, [n step]."""
        length = 1 + torch.arange(self.steps, device=hidden.device)
        struck = ~self.sustained.to(hidden.device)[note.track][:, None]
        too_long = length > (self.steps - note.step)[:, None]
        return _forbid(self.length(hidden), (length > 1) & (struck | too_long))

    def _last_of_step(self, before: Told) -> Tensor:
        """Whether a note is the highest of the last track, so that its step can hold no more."""
        return (before.track == len(self.sustained) - 1) & (before.pitch == self.pitches - 1)


def _reader(width: int, choices: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, choices))


def _forbid(logits: Tensor, illegal: Tensor) -> Tensor:
    return logits.float().masked_fill(illegal, float("-inf"))


@dataclass
class Phrases(Distribution):
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
        """log p(x) in nats; phrases of like length share a pass, so that little is padding."""
        notes = to_sequences(value)
        order = notes.count.argsort()
        groups = order.tensor_split(min(SIMILAR_LENGTHS, len(order)))
        parts = [self.density.log_prob(notes.rows(rows)) for rows in groups]
        return torch.cat(parts)[order.argsort()]

    @torch.no_grad()
    def sample(self, bars: int) -> States:
        """Pieces of any length: the window moves on a bar at a time and sees the bars before."""
        window, per_bar = self.density.bars, self.density.grid.steps_per_bar
        x = self.continued(None, 0)
        for _ in range(bars - window):
            known = x[:, :, :, 1 - window :] if window > 1 else x[:, :, :, :0]
            longer = self.continued(known, (window - 1) * per_bar)
            x = torch.cat([x, longer[:, :, :, -1:]], 3)
        return x[:, :, :, :bars]

    def continued(self, known: States | None, steps: int) -> States:
        """Phrases that begin with the `known` first `steps` steps."""
        density = self.density
        told = to_sequences(known) if known is not None else None
        notes = Sampler(density, self.batch, told, steps).run()
        return to_x(notes, density.tracks, density.bars, density.grid)


class Sampler:
    """Draws notes for a batch of phrases; a phrase that has ended leaves the batch."""

    def __init__(self, density: NoteDensity, batch: int, known: Sequences | None, earliest: int):
        self.density, self.known, self.earliest = density, known, earliest
        device = density.sustained.device
        self.batch, self.rows = batch, torch.arange(batch, device=device)
        blank = torch.zeros_like(self.rows)
        begin = torch.full_like(blank, density.steps)
        self.last = Told(begin, torch.full_like(blank, density.tracks), blank, blank)
        self.most = 8 * density.steps + (int(known.count.max()) if known else 0)
        self.memories: list[Memory] = density.transformer.memories(self.most)
        self.notes: list[tuple[Tensor, Told]] = []

    def run(self) -> Sequences:
        for place in range(self.most):
            note = self._draw()
            self.last = self._recall(place, note)
            self._release(self.last.step < self.density.steps)
            if not len(self.rows):
                break
            self.notes.append((self.rows, self.last))
        return self._sequences()

    def _draw(self) -> Told:
        density = self.density
        embedded: Parts = density.embedding(self.last)[:, None]
        hidden = density.transformer(embedded, self.memories)[:, 0]
        temperature = density.config.temperature
        return density.parts.draw(hidden, self.last, self.earliest, temperature)

    def _recall(self, place: int, note: Told) -> Told:
        """The known note of this place where there is one, else the drawn."""
        known = self.known
        if known is None or place >= known.step.shape[1]:
            return note
        given = place < known.count[self.rows]
        return Told(*(torch.where(given, old, new) for old, new in self._pairs(place, note)))

    def _pairs(self, place: int, note: Told) -> Iterator[tuple[Tensor, Tensor]]:
        for f in fields(Told):
            yield getattr(self.known, f.name)[self.rows, place], getattr(note, f.name)

    def _release(self, alive: Tensor) -> None:
        if bool(alive.all()):
            return
        kept = torch.nonzero(alive)[:, 0]
        self.rows = self.rows[kept]
        self.last = Told(*(getattr(self.last, f.name)[kept] for f in fields(Told)))
        for memory in self.memories:
            memory.keep(kept)

    def _sequences(self) -> Sequences:
        none = self.density.sustained.new_zeros(0, dtype=torch.int64)
        rows = torch.cat([none, *(rows for rows, _ in self.notes)])
        places = [torch.full_like(rows, n) for n, (rows, _) in enumerate(self.notes)]
        place = torch.cat([none, *places])
        count = torch.bincount(rows, minlength=self.batch)
        told = [
            torch.cat([none, *(getattr(note, f.name) for _, note in self.notes)])
            for f in fields(Told)
        ]
        return Sequences(*(_pad(rows, place, values, count) for values in told), count)
