"""Quantities of the outline of a piece: harmony, register, and repetition.

An outline holds for each bar of a track the probabilities of its struck steps, then the pitches
that sound in each part of it, 0 or 1. Shares of nothing are 0, with small gradients.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from musegen.networks.states import OCTAVE, by_octave

PARTS = 4
"""Parts of a bar whose pitches are outlined: of a bar in 4/4 its beats."""

APART = (1, 2, 4, 8)
"""Steps between struck steps that are compared."""

Outline = Float[Tensor, "batch bar track outline"]
Uses = Float[Tensor, "batch bar track part pitch"]
"""1 for each pitch that sounds in each part of a bar."""

OfTracks = Float[Tensor, "batch bar track value"]
Chroma = Float[Tensor, "*shape pitch_class"]


class Outlined(NamedTuple):
    """An outline as its two parts: when each track plays, and which pitches it uses."""

    rhythm: Float[Tensor, "batch bar track step"]
    uses: Uses

    @classmethod
    def of(cls, outline: Outline, steps: int) -> "Outlined":
        uses = outline[..., steps:].unflatten(3, (PARTS, -1))  # [batch bar track part pitch]
        return cls(outline[..., :steps], uses)

    @property
    def joined(self) -> Outline:
        return torch.cat([self.rhythm, self.uses.flatten(3)], 3)  # [batch bar track outline]

    @property
    def chroma(self) -> Float[Tensor, "batch bar track part pitch_class"]:
        return by_octave(self.uses).amax(-2)


def agreement(a: Chroma, b: Chroma) -> Float[Tensor, "*shape interval"]:
    """Return how much of b sounds i semitones above a, for i from 0 to 11: a circular correlation.

    >>> c, e = torch.eye(12)[0], torch.eye(12)[4]
    >>> agreement(c, e).argmax().item()
    4
    """
    pitch = torch.arange(OCTAVE, device=a.device)
    turn = F.one_hot((pitch[:, None] + pitch) % OCTAVE, OCTAVE).to(b.dtype)
    above = torch.einsum("...q,piq->...pi", b, turn)  # [*shape pitch_class interval]
    product = (a[..., None] * above).sum(-2)  # [*shape interval]
    return product / (a.norm(dim=-1) * b.norm(dim=-1) + 1)[..., None]


def doubled(
    chroma: Float[Tensor, "batch bar track part pitch_class"],
) -> Float[Tensor, "batch bar track part"]:
    """Return the share of each track's pitch classes that another track sounds too.

    >>> c, e = torch.eye(12)[0], torch.eye(12)[4]
    >>> doubled(torch.stack([c + e, c])[None, None, :, None])[0, 0, :, 0].tolist()
    [0.5, 1.0]
    """
    others = (chroma.sum(2, keepdim=True) - chroma).clamp(max=1)
    return (chroma * others).sum(-1) / chroma.sum(-1).clamp(min=1)


def overlap(a: Uses, b: Uses) -> OfTracks:
    """Return what two bars share of the pitches that either has (Jaccard's index)."""
    shared = (a * b).sum((3, 4))
    either = a.sum((3, 4)) + b.sum((3, 4)) - shared
    return (shared / either.clamp(min=1))[..., None]


def returning(uses: Uses, lag: int) -> OfTracks:
    """Return how much of a bar's pitches, in their part of it, sounded `lag` bars ago too."""
    return F.pad(overlap(uses[:, lag:], uses[:, :-lag]), (0, 0, 0, 0, lag, 0))


def register(used: Float[Tensor, "batch bar track pitch"]) -> OfTracks:
    """Return the number of pitches in dozens, and their mean and mean deviation in octaves.

    The mean is counted from the middle of the range, where silence is too.

    >>> third = torch.eye(24)[12] + torch.eye(24)[18]
    >>> register(third[None, None, None])[0, 0, 0]
    tensor([0.1667, 0.2500, 0.2500])
    """
    pitch = (torch.arange(used.shape[3], device=used.device) - used.shape[3] / 2) / OCTAVE
    count = used.sum(3, keepdim=True)
    shares = used / count.clamp(min=1)
    mean = (shares * pitch).sum(3, keepdim=True)
    deviation = (shares * (pitch - mean).abs()).sum(3, keepdim=True)
    return torch.cat([count / OCTAVE, mean, deviation], 3)


def of_piece(uses: Uses) -> OfTracks:
    """Return the register of the whole piece, and how often a bar's pitches sound in it.

    That is 1 where every bar that sounds has the same pitches, such as a kit of drums that stays.
    """
    used = uses.amax(3)  # [batch bar track pitch]
    piece = register(used.amax(1, keepdim=True)).expand(-1, uses.shape[1], -1, -1)
    bars = used.amax(3, keepdim=True).sum(1, keepdim=True)  # [batch 1 track 1]
    often = used.sum(1, keepdim=True) / bars.clamp(min=1)
    often = (used * often).sum(3) / used.sum(3).clamp(min=1)
    return torch.cat([piece, often[..., None]], 3)


def followed(rhythm: Float[Tensor, "batch bar track step"]) -> OfTracks:
    """Return the share of steps that are struck as well as that 1, 2, 4 and 8 steps later."""
    shares = [
        (rhythm[..., : max(0, rhythm.shape[3] - apart)] * rhythm[..., apart:]).sum(3)
        for apart in APART
    ]
    return torch.stack(shares, 3) / rhythm.shape[3]


def unsure(rhythm: Float[Tensor, "batch bar track step"]) -> OfTracks:
    """Return how unsure the struck steps are: the mean of 4 p (1 - p), 1 if each p is one half."""
    return 4 * (rhythm * (1 - rhythm)).mean(3, keepdim=True)
