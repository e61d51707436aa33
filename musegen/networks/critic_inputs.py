"""What a critic hears besides the cells: onsets, chroma, and what a listener would count.

Onset and chroma streams: Dong and Yang, arXiv 1804.09399, section 3.4. The counts and the tonal
distances of track pairs are ours: with them the critic need not learn to count, and empty bars,
fragmented notes or tracks in different keys show at once. All are differentiable in the cells.
"""

import math
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from musegen.networks.states import OCTAVE, Given, States

COUNTS = 7
"""Values of `bar_counts` for each track."""

CriticInput = Float[Tensor, "judge batch heard state bar step octave pitch_class"]
PerBar = Float[Tensor, "judge batch bar value"]
PerBeat = Float[Tensor, "judge batch bar beat value"]
PerStep = Float[Tensor, "judge batch bar step value"]


def split_tracks(x: States, judges: int, c: Given | None = None) -> CriticInput:
    """Give each judge its tracks (all to a single judge) and the given tracks c; fold octaves."""
    own = x.unflatten(1, (judges, -1)).transpose(0, 1)
    if c is not None:
        own = torch.cat([own, c.expand(judges, *c.shape)], 2)
    padded = F.pad(own, (0, -own.shape[-1] % OCTAVE))
    return padded.unflatten(-1, (-1, OCTAVE))


def onset_counts(heard: CriticInput) -> PerStep:
    """How many notes each track starts, and how many sound, in each step."""
    return heard.sum((6, 7)).permute(0, 1, 4, 5, 2, 3).flatten(4)


def chroma(
    heard: CriticInput, steps_per_beat: int
) -> Float[Tensor, "judge batch heard bar beat pitch_class"]:
    """Cells that sound in each pitch class, summed over a beat and all octaves."""
    sounding = heard[:, :, :, 0].sum(5)
    return sounding.unflatten(4, (-1, steps_per_beat)).sum(5)


def harmony(heard: CriticInput, steps_per_beat: int) -> PerBeat:
    """Of each beat: chroma of each track (a step counts 1/steps), and tonal distances of pairs.

    The distance of two tracks counts where both sound (Harte, Sandler and Gasser 2006).
    """
    classes = chroma(heard, steps_per_beat)
    level = classes.sum(-1, keepdim=True)
    centroid = (classes @ _tonal_basis(classes)) / (level + 1e-3)
    sounds = (level / steps_per_beat).clamp(max=1)
    values = [(classes / steps_per_beat).unbind(2)]
    for i, j in combinations(range(classes.shape[2]), 2):
        apart = (centroid[:, :, i] - centroid[:, :, j]).square().sum(-1, keepdim=True)
        both = sounds[:, :, i] * sounds[:, :, j]
        values.append((both * apart, both))
    return torch.cat([value for group in values for value in group], -1)


def harmony_values(tracks: int) -> int:
    """Length of the last axis of `harmony`."""
    return tracks * OCTAVE + 2 * math.comb(tracks, 2)


def _tonal_basis(like: Tensor) -> Float[Tensor, "pitch_class centroid"]:
    """Circles of fifths, minor thirds (radius 1) and major thirds (radius 1/2)."""
    step = torch.arange(OCTAVE, dtype=like.dtype, device=like.device) * math.pi
    circles = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
    axes = [(r * torch.sin(step * a), r * torch.cos(step * a)) for a, r in circles]
    return torch.stack([axis for pair in axes for axis in pair], 1)


def bar_counts(heard: CriticInput) -> PerBar:
    """Of each track and bar, in [0, 1] or near it: does it sound, pitch classes, notes, notes that
    last one step, steps that sound, steps with two pitches or more, mean pitches at once.
    """
    sounding, onset = heard.unbind(3)  # [judge batch track bar step octave class]
    steps = sounding.shape[4]
    classes = sounding.amax((4, 5))
    at_once = sounding.sum((5, 6))
    held = (sounding * (1 - onset)).flatten(3, 4)
    next_held = F.pad(held[:, :, :, 1:], (0, 0, 0, 0, 0, 1)).unflatten(3, (-1, steps))
    counts = [
        classes.amax(-1),
        classes.sum(-1) / OCTAVE,
        onset.sum((4, 5, 6)) / steps,
        (onset * (1 - next_held)).sum((4, 5, 6)) / steps,
        at_once.clamp(max=1).mean(-1),
        (at_once - 1).clamp(0, 1).mean(-1),
        at_once.mean(-1) / 4,
    ]
    return torch.stack(counts, -1).transpose(2, 3).flatten(3)
