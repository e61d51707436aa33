"""The inputs of a critic beside the cells: onsets, chroma, and counts that a listener would make.

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

from musegen.networks.states import OCTAVE, Given, States, by_octave

COUNTS = 7
"""Values of `bar_counts` for each track."""

TrackGroups = Float[Tensor, "group batch member state bar step octave pitch_class"]
"""The states of the tracks (members) of each group, with octaves apart."""

PerBar = Float[Tensor, "group batch bar value"]
PerBeat = Float[Tensor, "group batch bar beat value"]
PerStep = Float[Tensor, "group batch bar step value"]


def split_tracks(x: States, groups: int, c: Given | None = None) -> TrackGroups:
    """Divide the tracks into groups, append the given tracks c to each, and fold octaves."""
    own = x.unflatten(1, (groups, -1)).transpose(0, 1)  # [group batch member state bar step pitch]
    if c is not None:
        given = c.expand(groups, *c.shape)  # [group batch given state bar step pitch]
        own = torch.cat([own, given], 2)
    return by_octave(own)


def onset_counts(tracks: TrackGroups) -> PerStep:
    """Count the sounding cells and the onsets of each track in each step."""
    counts = tracks.sum((6, 7)).permute(0, 1, 4, 5, 2, 3)  # [group batch bar step member state]
    return counts.flatten(4)  # [group batch bar step member*state]


def chroma(
    tracks: TrackGroups, steps_per_beat: int
) -> Float[Tensor, "group batch member bar beat pitch_class"]:
    """Count the sounding cells of each pitch class in each beat, over all octaves."""
    sounding = tracks[:, :, :, 0].sum(5)  # [group batch member bar step pitch_class]
    beats = sounding.unflatten(4, (-1, steps_per_beat))  # [group batch member bar beat step pc]
    return beats.sum(5)


def harmony(tracks: TrackGroups, steps_per_beat: int) -> PerBeat:
    """Compute the harmony of each beat: each track's chroma, each pair's tonal distance.

    A step counts 1/steps in the chroma. A pair has two values: the squared distance of its tonal
    centroids (Harte, Sandler and Gasser 2006) where both sound, and how much both sound.
    """
    by_class = chroma(tracks, steps_per_beat)
    level = by_class.sum(-1, keepdim=True)
    centroid = (by_class @ _tonal_basis(by_class)) / (level + 1e-3)
    sounds = (level / steps_per_beat).clamp(max=1)
    values = [*(by_class / steps_per_beat).unbind(2)]
    for i, j in combinations(range(by_class.shape[2]), 2):
        distance = (centroid[:, :, i] - centroid[:, :, j]).square().sum(-1, keepdim=True)
        both = sounds[:, :, i] * sounds[:, :, j]
        values += [both * distance, both]
    return torch.cat(values, -1)


def harmony_values(tracks: int) -> int:
    """Return the length of the last axis of `harmony`."""
    return tracks * OCTAVE + 2 * math.comb(tracks, 2)


def _tonal_basis(like: Tensor) -> Float[Tensor, "pitch_class centroid"]:
    """Return each pitch class on the circles of fifths, minor thirds and major thirds.

    Their radii are 1, 1 and 1/2.
    """
    step = torch.arange(OCTAVE, dtype=like.dtype, device=like.device) * math.pi
    circles = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
    axes = [(r * torch.sin(step * a), r * torch.cos(step * a)) for a, r in circles]
    return torch.stack([axis for pair in axes for axis in pair], 1)


def bar_counts(tracks: TrackGroups) -> PerBar:
    """Count, for each track and bar, what a listener would notice; in [0, 1] or near it.

    Whether it sounds, pitch classes, notes, notes that last one step, steps that sound, steps with
    two pitches or more, mean pitches at once.
    """
    sounding, onset = tracks.unbind(3)  # [group batch member bar step octave pc]
    steps = sounding.shape[4]
    classes = sounding.amax((4, 5))
    at_once = sounding.sum((5, 6))
    held = (sounding * (1 - onset)).flatten(3, 4)  # [group batch member bar*step octave pc]
    next_held = F.pad(held[:, :, :, 1:], (0, 0, 0, 0, 0, 1))
    next_held = next_held.unflatten(3, (-1, steps))  # [group batch member bar step octave pc]
    counts = [
        classes.amax(-1),
        classes.sum(-1) / OCTAVE,
        onset.sum((4, 5, 6)) / steps,
        (onset * (1 - next_held)).sum((4, 5, 6)) / steps,
        at_once.clamp(max=1).mean(-1),
        (at_once - 1).clamp(0, 1).mean(-1),
        at_once.mean(-1) / 4,
    ]
    return torch.stack(counts, -1).transpose(2, 3).flatten(3)  # [group batch bar member*count]
