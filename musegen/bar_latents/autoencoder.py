"""The latents of bars: a track's bar <-> latents of its rhythm, of its notes and of its touch.

z [batch bar*track*latent] holds for each bar and track, in this order, latents of the rhythm (read
from onsets alone, so that equal rhythms have equal latents), of the notes, and of the touch: how
loud its steps and its pitches are. Each part is normalised to mean 0 and variance 1, so that any
vector is near one that the decoder knows; a silent bar has latents 0. While it trains the
decoder's input is noisy, as a denoising autoencoder's is (Vincent et al. 2008), so that near
latents sound similar.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Strict
from core.theory.distributions import Delta
from core.theory.shapes import Latents
from musegen.bar_latents.outline import Outline
from musegen.bar_latents.plan import Places, Plan, Sounding, nonzero, note_count
from musegen.bar_latents.struck_notes import (
    HALVES,
    MOST_VOICES,
    NoteLogits,
    StruckNotes,
    TouchLogits,
)
from musegen.networks.states import LOUDEST, OCTAVE, States
from musegen.networks.wirings import Wiring
from musegen.roll import Grid
from musegen.tracks import Track

FACTORS = 16
"""Factors of which the logits of a velocity are composed."""

BarLatents = Float[Tensor, "batch bar track size"]
Rows = Float[Tensor, "row _"]
"""One row for each bar of a track that is looked at."""


class BarLatentsConfig(Strict):
    """Sizes of MuseGAN over bar latents.

    `rhythm`, `notes`, `touch`: latents of a track's bar. `channels`: of a step in encoder and
    decoder, `width`: of a bar there. `noise`: largest standard deviation of the noise on the
    decoder's input while it trains. `latent`: length of a player's z of each bar in the prior,
    `hidden`: width of prior and critic. `temperature`: standard deviation of the parts of z
    that are the same in every bar, where that of the others is 1: the wider, the more a piece has
    throughout (key, kit, register).
    """

    wiring: Wiring = "hybrid"
    rhythm: int = Field(default=20, gt=1)
    notes: int = Field(default=44, gt=1)
    touch: int = Field(default=8, gt=1)
    channels: int = Field(default=96, gt=0)
    width: int = Field(default=320, gt=0)
    noise: float = Field(default=0.5, ge=0)
    latent: int = Field(default=128, ge=4)
    hidden: int = Field(default=256, gt=0)
    temperature: float = Field(default=2.0, gt=0)

    @property
    def size(self) -> int:
        """Return the number of latents of a track's bar."""
        return sum(self.parts)

    @property
    def parts(self) -> list[int]:
        """Return the number of latents of rhythm, notes and touch."""
        return [self.rhythm, self.notes, self.touch]


def normalised(
    z: Float[Tensor, "*shape latent"], parts: Sequence[int]
) -> Float[Tensor, "*shape latent"]:
    """Give each part of the latents mean 0 and variance 1."""
    split = z.split(list(parts), -1)
    return torch.cat([F.layer_norm(part, part.shape[-1:]) for part in split], -1)


class Kinds(nn.ModuleList):
    """Two networks of one kind: of drums and of melodic tracks."""

    def of(self, is_drum: bool) -> nn.Module:
        return self[0 if is_drum else 1]


class OfBars(nn.Module):
    """A network of the bars that sound; the tracks of a kind share it, and it knows the track."""

    is_drum: Tensor

    def __init__(self, tracks: Sequence[Track]):
        super().__init__()
        self.drums = [track.is_drum for track in tracks]
        self.register_buffer("is_drum", torch.tensor(self.drums), persistent=False)

    def of_kinds(self, bars: Sounding) -> Iterator[tuple[bool, Places]]:
        """Yield the piece, bar and track of each bar of drums, then of melodic tracks."""
        for kind in (True, False):
            own = zip(bars.counts, self.drums, strict=True)
            count = sum(number for number, is_drum in own if is_drum == kind)
            yield kind, nonzero(bars.plays & (self.is_drum == kind), count)


class BarEncoder(OfBars):
    """x -> its bar latents z; `c`: the plan of x, if it is known."""

    def __init__(self, config: BarLatentsConfig, grid: Grid, tracks: Sequence[Track]):
        super().__init__(tracks)
        self.config = config
        steps, width = grid.steps_per_bar, config.width
        self.rhythm = nn.Sequential(
            nn.Linear(2 * steps, 128), nn.ReLU(), nn.Linear(128, config.rhythm)
        )
        self.steps = Kinds(nn.Linear(2 * grid.pitches, config.channels) for _ in range(2))
        self.bars = Kinds(nn.Linear(steps * config.channels, width) for _ in range(2))
        self.notes = Kinds(nn.Linear(width, config.notes) for _ in range(2))
        self.track = nn.Embedding(len(tracks), width)
        self.touch = nn.Sequential(
            nn.Linear(steps + grid.pitches, 64), nn.ReLU(), nn.Linear(64, config.touch)
        )

    def forward(self, x: States, c: Plan | None = None) -> Delta:
        rows = x.permute(0, 3, 1, 4, 2, 5)  # [batch bar track step state pitch]
        if c is None:
            bars = Sounding.counted(rows[..., 0, :].amax((3, 4)) > 0)
        else:
            bars = Sounding.planned(c, x.device)
        z = rows.new_zeros(*rows.shape[:3], self.config.size)
        for kind, chosen in self.of_kinds(bars):
            z[chosen] = self._encoded(rows[chosen], chosen[2], kind).to(z.dtype)
        return Delta(z.flatten(1))  # [batch bar*track*latent]

    def _encoded(
        self,
        cells: Float[Tensor, "row step state pitch"],
        track: Int[Tensor, " row"],
        is_drum: bool,
    ) -> Rows:
        notes, velocity = cells[:, :, :2], cells[:, :, 2]
        rhythm = self.rhythm(notes.amax(3).flatten(1))  # [row step*state]
        steps = F.relu(self.steps.of(is_drum)(notes.flatten(2)))  # [row step channel]
        hidden = self.bars.of(is_drum)(steps.flatten(1)) + self.track(track)  # [row width]
        tune = self.notes.of(is_drum)(F.relu(hidden))
        loudness = [velocity.sum(axis) / notes[:, :, 1].sum(axis).clamp(min=1) for axis in (2, 1)]
        touch = self.touch(torch.cat(loudness, 1))  # of the steps, then of the pitches
        return normalised(torch.cat([rhythm, tune, touch], 1).float(), self.config.parts)


class BarDecoder(OfBars):
    """z -> p(x given z): struck steps, then the notes that are struck there and held.

    `c`: the plan of the pieces, if it is known. `outline(z)`: the rhythm and the pitches of each
    part of a bar, of the notes that are decoded; a critic of latents reads them.
    """

    def __init__(self, config: BarLatentsConfig, grid: Grid, tracks: Sequence[Track]):
        super().__init__(tracks)
        self.config, self.grid, self.tracks = config, grid, len(tracks)
        steps, width = grid.steps_per_bar, config.width
        self.rhythm = nn.Sequential(
            nn.Linear(config.rhythm, 128), nn.ReLU(), nn.Linear(128, steps)
        )
        self.chroma = nn.Sequential(
            nn.Linear(config.size, 128), nn.ReLU(), nn.Linear(128, HALVES * OCTAVE)
        )
        self.touch = nn.Sequential(
            nn.Linear(config.touch + len(tracks), 64),
            nn.ReLU(),
            nn.Linear(64, (steps + grid.pitches) * FACTORS),
        )
        self.loudness = nn.Parameter(torch.randn(FACTORS, LOUDEST) / FACTORS)
        self.bars = Kinds(nn.Linear(config.size, width) for _ in range(2))
        self.track = nn.Embedding(len(tracks), width)
        self.steps = Kinds(nn.Linear(width, steps * config.channels) for _ in range(2))
        self.uses = Kinds(nn.Linear(width, grid.pitches) for _ in range(2))
        self.numbers = [grid.pitches, grid.pitches, MOST_VOICES]  # of onset, hold and voices
        self.cells = Kinds(nn.Linear(config.channels, sum(self.numbers)) for _ in range(2))
        for layer in self.cells:
            assert isinstance(layer, nn.Linear)
            layer.bias.data[: 2 * grid.pitches] = -3.0  # most cells are silent

    def forward(self, z: Latents, c: Plan | None = None) -> StruckNotes:
        bars = self._by_bar(z)
        sounding = _sounding(bars, c)
        if self.training:
            level = self.config.noise * torch.rand_like(bars[..., :1])
            bars = bars + level * torch.randn_like(bars)
        return self._notes(bars, sounding, None if c is None else note_count(c))

    def outline(self, z: Latents, c: Plan | None = None) -> Outline:
        """Return the outline of the notes that z is decoded to; differentiable."""
        bars = self._by_bar(z)
        return self._notes(bars, _sounding(bars, c)).outline()

    def _notes(
        self, bars: BarLatents, sounding: Sounding, count: int | None = None
    ) -> StruckNotes:
        bars = normalised(bars, self.config.parts)
        cells = bars.new_zeros(*bars.shape[:3], self.grid.steps_per_bar, sum(self.numbers))
        for kind, chosen in self.of_kinds(sounding):
            cells[chosen] = self.cell_logits(bars[chosen], chosen[2], kind)
        onset, hold, voices = cells.float().split(self.numbers, 4)
        rhythm, chroma = self.rhythm(bars[..., : self.config.rhythm]), self.chroma(bars)
        touch = self.touch_logits(bars)
        logits = NoteLogits(rhythm.float(), chroma.float(), onset, hold, voices, touch)
        return StruckNotes(sounding.plays, logits, ~self.is_drum, count)

    def touch_logits(self, z: BarLatents) -> TouchLogits:
        """Return the logits of the velocities of every bar, of normalised latents."""
        track = torch.eye(self.tracks, device=z.device).expand(*z.shape[:2], -1, -1)
        touch = torch.cat([z[..., -self.config.touch :], track], 3)
        factors = self.touch(touch).float()
        factors = factors.unflatten(3, (-1, FACTORS))  # [batch bar track step+pitch factor]
        steps, pitches = factors.tensor_split([self.grid.steps_per_bar], 3)
        return TouchLogits(steps, pitches, self.loudness)

    def _by_bar(self, z: Latents) -> BarLatents:
        return z.unflatten(1, (-1, self.tracks, self.config.size))  # [batch bar track latent]

    def cell_logits(
        self, z: Rows, track: Int[Tensor, " row"], is_drum: bool
    ) -> Float[Tensor, "row step number"]:
        """Return the logits of bars of tracks of one kind, of their normalised latents.

        As many as `numbers` says: of the onset and the hold of each pitch, and of the voices.
        """
        hidden = F.relu(self.bars.of(is_drum)(z) + self.track(track))
        steps = F.relu(self.steps.of(is_drum)(hidden))
        steps = steps.unflatten(1, (self.grid.steps_per_bar, -1))  # [row step channel]
        numbers = self.cells.of(is_drum)(steps).float()
        uses = self.uses.of(is_drum)(hidden)[:, None].float()  # [row 1 pitch]
        return numbers + F.pad(uses, (0, numbers.shape[2] - uses.shape[2]))


def sounds(z: BarLatents) -> Bool[Tensor, "batch bar track"]:
    """Return where latents are of a bar that sounds: those of a silent one are 0."""
    return z.square().mean(3) > 0.25


def _sounding(z: BarLatents, plan: Plan | None) -> Sounding:
    """Return the bars that sound, from the plan if it is known."""
    return Sounding.counted(sounds(z)) if plan is None else Sounding.planned(plan, z.device)
