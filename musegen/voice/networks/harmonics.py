"""The rows of a pitch: which harmonic each row of a spectrogram belongs to.

A pitch is read once, as its height in octaves and an embedding. From the height follows where its
harmonics lie; a network then only says how loud each is and how it moves. Maps over harmonics are
the same for all pitches: what one pitch teaches of a timbre holds for the others.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.theory.shapes import Features
from musegen.voice.fundamental import hz_of
from musegen.voice.spectrogram import Spectrogram

HARMONICS = 64
"""Harmonics with levels of their own; higher ones share those of the last."""
MIDDLE = 60
"""The pitch of height 0."""
NARROWEST = 0.02
"""The lobe of a harmonic is not followed below this share of its height: -34 dB."""

Pitches = Float[Tensor, "batch pitch"]
"""One-hot."""
Harmonic = Float[Tensor, "batch channel frame harmonic"]
PerRow = Float[Tensor, "batch row"]


class PitchReader(nn.Module):
    """One-hot pitches -> their heights in octaves above middle C, beside an embedding."""

    heights: Tensor

    def __init__(self, lowest: int, pitches: int, size: int):
        super().__init__()
        heights = (torch.arange(lowest, lowest + pitches) - MIDDLE) / 12
        self.register_buffer("heights", heights)
        self.embedding = nn.Linear(pitches, size)

    def forward(self, pitches: Pitches) -> Features:
        height = (pitches @ self.heights)[:, None]
        return torch.cat([height, self.embedding(pitches)], 1)


class HarmonicRows(nn.Module):
    """The places of harmonics among the rows of a spectrogram."""

    bins: Tensor

    def __init__(self, spectrogram: Spectrogram):
        super().__init__()
        self.register_buffer("bins", spectrogram.row_bins, persistent=False)
        self.middle_bins = hz_of(MIDDLE) / spectrogram.bin_hz

    def fundamental(self, c: Features) -> Float[Tensor, "batch 1"]:
        """Return the fundamentals of conditions as `PitchReader` returns them, in bins."""
        return self.middle_bins * torch.exp2(c[:, :1])

    def nearest(self, c: Features) -> tuple[Int[Tensor, "batch row"], PerRow]:
        """Return each row's harmonic, from 1, and how many bins it lies above the row."""
        fundamental = self.fundamental(c)
        number = (self.bins / fundamental).round().clamp(min=1)
        return number.long(), number * fundamental - self.bins

    def rows(self, c: Features) -> Int[Tensor, "batch harmonic"]:
        """Return the row that is nearest to each harmonic; the last row beyond it."""
        number = torch.arange(1, HARMONICS + 1, device=c.device)
        places = torch.searchsorted(self.bins, (number * self.fundamental(c)).contiguous())
        return places.clamp(max=len(self.bins) - 1)


def spread(
    maps: Harmonic, number: Int[Tensor, "batch row"]
) -> Float[Tensor, "batch channel frame row"]:
    """Return maps over harmonics as maps over rows: each row has the values of its harmonic."""
    index = (number - 1).clamp(max=maps.shape[3] - 1)
    index = index[:, None, None].expand(-1, *maps.shape[1:3], -1)  # [batch channel frame row]
    return maps.gather(3, index)


def lobe(offset: PerRow) -> PerRow:
    """Return the log amplitude of a sine in a row that lies so many bins away, by a Hann window.

    sinc(d) / (1 - d^2), as a natural logarithm, not below `NARROWEST`.
    """
    squared = 1 - offset**2
    near = squared.abs() < 1e-3  # where both are 0 the quotient is a half
    quotient = torch.sinc(offset) / torch.where(near, 1.0, squared)
    return torch.where(near, 0.5, quotient.abs()).clamp(min=NARROWEST).log()


LOG_DB = math.log(10) / 20
"""Natural logarithms in a dB of amplitude."""
