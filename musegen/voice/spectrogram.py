"""Sound <-> x: the level and the instantaneous frequency of a short-time Fourier transform.

Engel, Agrawal, Chen, Gulrajani, Donahue and Roberts, GANSynth, ICLR 2019, section 2. Windows
overlap by 75 %. Phase is unwrapped over time and differentiated; where a harmonic sounds, that is
its frequency, and nearly constant.

Unlike in the paper, a row's frequency is stated relative to the row's own centre, and phases are
those at the middle of a window, so that the rows of one harmonic have equal phases: where a
network is wrong by the same amount in all of them they still add up.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torchaudio
from jaxtyping import Complex, Float
from torch import Tensor

Scale = Literal["linear", "mel"]

Sounds = Float[Tensor, "note sample"]
"""Mono sounds in [-1, 1]."""

Maps = Float[Tensor, "note 2 frame row"]
"""x: levels in [-1, 1], -1 for silence, and frequencies in [-1, 1), in units of two bins.

The frequencies of the first frame are phases in units of pi.
"""

Rows = Float[Tensor, " row"]

OVERLAP = 4
"""Windows that cover a sample."""
FRAMES = 8
"""The number of frames is a multiple of it, so that networks can halve it."""
MEL_HZ = 700.0
"""The frequency from which the mel scale is rather logarithmic than linear."""


@dataclass(frozen=True)
class Spectrogram:
    """The map between sounds of so many samples and x.

    `window`: samples of a window, twice the number of rows (the paper's: 2048). `scale`: of the
    rows' frequencies; mel rows are interpolated, as many as there are bins. `floor_db`: the level
    of x = -1, relative to a sine of amplitude 1; whatever is softer is silence.
    """

    sample_rate_hz: int
    samples: int
    window: int = 1024
    scale: Scale = "linear"
    floor_db: float = -80.0

    @property
    def hop(self) -> int:
        return self.window // OVERLAP

    @property
    def rows(self) -> int:
        """Return the number of rows: bins from 0 Hz to below half the sample rate."""
        return self.window // 2

    @property
    def frames(self) -> int:
        """Return the number of frames, whose windows are centred on multiples of the hop."""
        return -(-(-(-self.samples // self.hop) + 1) // FRAMES) * FRAMES

    @property
    def bin_hz(self) -> float:
        return self.sample_rate_hz / self.window

    @cached_property
    def row_bins(self) -> Rows:
        """Return the centre of each row, in bins."""
        if self.scale == "linear":
            return torch.arange(self.rows, dtype=torch.float32)
        top = math.log1p(self.sample_rate_hz / 2 / MEL_HZ)
        mel = torch.arange(self.rows) * (top / self.rows)
        return MEL_HZ * torch.expm1(mel) / self.bin_hz

    def analyse(self, sounds: Sounds) -> Maps:
        """Return x of sounds, which are filled up with silence or cut."""
        span = (self.frames - 1) * self.hop
        sounds = sounds[:, : self.samples]
        sounds = torch.nn.functional.pad(sounds, (0, span - sounds.shape[1]))
        bins = torchaudio.functional.spectrogram(
            sounds, 0, self._window(sounds), *self._sizes, None, False, True, "constant"
        )
        bins = bins[:, :-1].transpose(1, 2) * self._scale(sounds)  # [note frame bin]
        level, advance = self._levels(bins.abs()), self._advances(bins)
        if self.scale == "mel":
            level, advance = self._to_mel(level, advance)
        return torch.stack([level, advance], 1)

    def synthesise(self, x: Maps) -> Sounds:
        """Return the sounds whose spectrograms are nearest to x."""
        level, advance = x.float().unbind(1)
        if self.scale == "mel":
            level, advance = self._from_mel(level, advance)
        phase = math.pi * wrap(torch.cumsum(advance, 1) + self._carrier(x))
        bins = torch.polar(self._amplitudes(level), phase) / self._scale(x)
        bins = torch.nn.functional.pad(bins, (0, 1)).transpose(1, 2)  # [note bin frame]
        sounds = torchaudio.functional.inverse_spectrogram(
            bins, (self.frames - 1) * self.hop, 0, self._window(x), *self._sizes, False, True
        )
        return sounds[:, : self.samples]

    def levels_db(self, x: Maps) -> Float[Tensor, "note frame row"]:
        """Return the level of each row in dB, relative to a sine of amplitude 1."""
        return (1 - x[:, 0]) / 2 * self.floor_db

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.window, self.hop, self.window

    def _window(self, like: Tensor) -> Tensor:
        return torch.hann_window(self.window, device=like.device)

    def _scale(self, like: Tensor) -> Float[Tensor, " bin"]:
        """Return the factors that make a sine of amplitude 1 a bin of magnitude 1, with its phase
        at the middle of the window: (-1)^k."""
        signs = 1 - 2 * (torch.arange(self.rows, device=like.device) % 2)
        return signs * (4 / self.window)

    def _carrier(self, like: Tensor) -> Float[Tensor, "frame bin"]:
        """Return the phase of each bin's own frequency in each frame, in units of pi."""
        frame = torch.arange(self.frames, device=like.device)
        number = torch.arange(self.rows, device=like.device)
        return (frame[:, None] * number % OVERLAP) * (2 / OVERLAP)

    def _levels(self, magnitude: Tensor) -> Tensor:
        softest = 10 ** (self.floor_db / 20)
        return 1 - 40 / self.floor_db * torch.log10(magnitude.clamp(min=softest))

    def _amplitudes(self, level: Tensor) -> Tensor:
        amplitude = 10 ** ((1 - level) * (self.floor_db / 40))
        return torch.where(level > -1, amplitude, 0.0)

    def _advances(
        self, bins: Complex[Tensor, "note frame bin"]
    ) -> Float[Tensor, "note frame bin"]:
        """Return the difference of phases that are relative to each bin's own frequency.

        A silent bin keeps the phase that it had, so that the sum of all differences is a phase.
        """
        phase = bins.angle() / math.pi - self._carrier(bins)
        sounding = bins.abs() > 10 ** (self.floor_db / 20)
        kept = [torch.zeros_like(phase[:, 0])]
        for now, sounds in zip(phase.unbind(1), sounding.unbind(1), strict=True):
            kept.append(torch.where(sounds, now, kept[-1]))
        return wrap(torch.diff(torch.stack(kept, 1), dim=1))

    def _to_mel(self, level: Tensor, advance: Tensor) -> tuple[Tensor, Tensor]:
        """Interpolate levels, and take frequencies from the nearest bin."""
        bins = self.row_bins.to(level)
        nearest = bins.round().long().clamp(max=self.rows - 1)
        moved = _moved(advance[..., nearest], nearest - bins)
        return _interpolated(level, bins), moved

    def _from_mel(self, level: Tensor, advance: Tensor) -> tuple[Tensor, Tensor]:
        bins = self.row_bins.to(level)
        wanted = torch.arange(self.rows, device=level.device)
        place = torch.searchsorted(bins, wanted.to(bins)).clamp(1, self.rows - 1)
        below = bins[place - 1]
        between = place - 1 + ((wanted - below) / (bins[place] - below)).clamp(max=1)
        nearest = between.round().long()
        return _interpolated(level, between), _moved(advance[..., nearest], bins[nearest] - wanted)


def wrap(turns: Tensor) -> Tensor:
    """Return phases in units of pi, or frequencies in units of two bins, within [-1, 1).

    >>> wrap(torch.tensor([0.5, 1.0, -1.25])).tolist()
    [0.5, -1.0, 0.75]
    """
    return (turns + 1) % 2 - 1


def _moved(advance: Tensor, bins: Tensor) -> Tensor:
    """Return advances relative to a centre that is `bins` lower; the first frame has phases."""
    return torch.cat([advance[:, :1], wrap(advance[:, 1:] + bins / 2)], 1)


def _interpolated(values: Tensor, place: Rows) -> Tensor:
    """Interpolate the last axis linearly at places between its indices."""
    below = place.floor().long().clamp(max=values.shape[-1] - 2)
    return torch.lerp(values[..., below], values[..., below + 1], (place - below).clamp(max=1))
