"""Clips of any length and rate, and clips that begin with given frames.

A decoder that is a function of time is sampled at any times of the clips it was trained on. Beyond
their end a clip is continued by others, of the same caption or of further ones, each of which
begins with the last frames of the one before. Latents of such a clip are sought by descending

    |x(z) - x|^2 / (2 SPREAD^2) - log p(z given c)    over the given frames x

from the nearest of `CANDIDATES` samples of the prior (Zhu, Kraehenbuehl, Shechtman and Efros,
Generative Visual Manipulation on the Natural Image Manifold, ECCV 2016, section 3.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.theory.distributions import Distribution
from core.theory.shapes import Latents, Losses
from videogen.files.clip import Clips
from videogen.networks.gist import Decoder, Times
from videogen.networks.path import PathDecoder
from videogen.networks.text import Condition

OVERLAP = 2
"""Frames that a clip shares with the one that it continues; over them one fades into the other."""

CANDIDATES = 64
"""Samples of the prior of which the nearest begins the descent."""
STEPS, RATE = 60, 0.05
"""Steps of Adam, and its learning rate."""
SPREAD = 0.2
"""Standard deviation of a pixel of the given frames, in [-1, 1]."""


Given = Float[Tensor, "batch 3 given height width"]
"""The first frames of clips, in [-1, 1]."""


@dataclass(frozen=True)
class Continuation:
    """A decoder that is a function of time, and its prior."""

    decoder: Decoder | PathDecoder
    prior: nn.Module

    @property
    def hop(self) -> int:
        """Return the frames from one clip's first to the next one's, at least one."""
        return max(1, self.decoder.frames - OVERLAP)

    def clips(
        self,
        batch: int,
        conditions: Sequence[Condition | None],
        times: Times,
        start: Given | None = None,
    ) -> Clips:
        """Sample clips at ascending times, in frames; `start`: their first frames, if given.

        `conditions` follow each other in time, each for as many of the clips that continue each
        other. What the first clips show does not depend on how many follow. A path of latents
        goes on by itself, where nothing follows and nothing is given.
        """
        if isinstance(self.decoder, PathDecoder) and len(conditions) == 1 and start is None:
            return self._along_path(self.decoder, batch, conditions[0], times)
        last = self.decoder.frames - 1
        count = max(len(conditions), 1 + math.ceil((float(times[-1]) - last) / self.hop))
        drawn: list[Clips] = []
        end = start
        for number in range(count):
            c = conditions[number * len(conditions) // count]
            z = self._sample(batch, c) if end is None else self.beginning_with(end, c)
            local = times - number * self.hop
            drawn.append(self._decode(z, c, local.clamp(0, last)))
            overlap = torch.arange(float(self.hop), self.decoder.frames, device=z.device)
            end = self._decode(z, c, overlap)
        return self._faded(drawn, times)

    def _along_path(
        self, decoder: PathDecoder, batch: int, c: Condition | None, times: Times
    ) -> Clips:
        """Sample one path of latents that is long enough."""
        z = self._sample(batch, c)
        for _ in range(math.ceil((float(times[-1]) + 1) / decoder.frames) - 1):
            z = decoder.longer(z, self._sample(batch, c))
        return self._decode(z, c, times)

    @torch.no_grad()
    def beginning_with(self, given: Given, c: Condition | None) -> Latents:
        """Return latents of clips whose first frames are near the given ones."""
        many = None
        if c is not None:
            many = c.repeat_interleave(CANDIDATES, 0)  # [(batch candidate) condition]
        z = self._sample(CANDIDATES * len(given), many)
        errors = self._errors(z, many, given.repeat_interleave(CANDIDATES, 0))
        nearest = errors.unflatten(0, (-1, CANDIDATES)).argmin(1)  # [batch]
        rows = torch.arange(len(given), device=z.device) * CANDIDATES + nearest
        return self._descended(z[rows], c, given)

    def _descended(self, z: Latents, c: Condition | None, given: Given) -> Latents:
        """Return the latents after `STEPS` steps towards the likeliest."""
        z = z.clone()
        adam = torch.optim.Adam([z], RATE)
        for _ in range(STEPS):
            z.requires_grad_()
            with torch.enable_grad():
                unlikely = -self._prior(len(z), c).log_prob(z)
                loss = self._errors(z, c, given) / (2 * SPREAD**2) + unlikely
                (z.grad,) = torch.autograd.grad(loss.sum(), z)
            adam.step()
        return z.detach()

    def _errors(self, z: Latents, c: Condition | None, given: Given) -> Losses:
        """Return the squared error of each clip's first frames."""
        times = torch.arange(float(given.shape[2]), device=z.device)
        return (self._decode(z, c, times) - given).square().sum((1, 2, 3, 4))

    def _faded(self, drawn: Sequence[Clips], times: Times) -> Clips:
        """Return each moment of the clip to which it belongs, with fades where two overlap."""
        clips = drawn[0]
        for number, following in enumerate(drawn[1:], 1):
            since = (times - number * self.hop + 1) / (OVERLAP + 1)
            share = since.clamp(0, 1)[:, None, None]  # [time 1 1]
            clips = torch.lerp(clips, following, share.expand_as(clips))
        return clips

    def _decode(self, z: Latents, c: Condition | None, times: Times) -> Tensor:
        return self.decoder(z, c, times).representative

    def _prior(self, batch: int, c: Condition | None) -> Distribution:
        return self.prior(batch, c)

    def _sample(self, batch: int, c: Condition | None) -> Latents:
        return self._prior(batch, c).rsample()


def times_of(frames: int, rate_of_clip: float, rate_of_model: float) -> Times:
    """Return the times of `frames` frames a clip, in frames of the model.

    The first and the last are those of the model where both last as long.

    >>> times_of(4, 8.0, 8.0).tolist(), times_of(3, 12.0, 8.0).tolist()
    ([0.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0])
    """
    duration = frames * rate_of_model / rate_of_clip
    return torch.linspace(0, max(0.0, duration - 1), frames)
