"""Chances of choices, in numpy: nuclei, samples, and hazards of what comes one after another."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from core.densities.arrays import take

RARE = 1e-6
"""The factor of what lies outside of the nucleus: it is sampled where nothing else can be."""

TINY = 1e-30

Logits = Float[np.ndarray, "n choice"]

Chances = Float[np.ndarray, "n choice"]
"""Probabilities, or hazards, of choices."""

Slots = Float[np.ndarray, "row step track"]
"""Probabilities, or hazards, of the slots of a beat."""


def log_chances(logits: Float[np.ndarray, "*n choice"]) -> Float[np.ndarray, "*n choice"]:
    """Return log of the softmax probabilities."""
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def softmax(logits: Float[np.ndarray, "*n choice"]) -> Float[np.ndarray, "*n choice"]:
    """Return the probabilities of logits."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


class Ordered(NamedTuple):
    """Choices from the likeliest one on, their chances relative to it, and which are inside of
    the nucleus: as few as have its share in all."""

    choice: Int[np.ndarray, "n choice"]
    chance: Chances
    is_inside: Bool[np.ndarray, "n choice"]


def ordered(logits: Logits, share: float) -> Ordered:
    """Return the choices in the order of their chances.

    Nucleus (top-p) sampling, Holtzman et al., ICLR 2020, eq. 2, before it is normalised.
    """
    choice = (-logits).argsort(1)
    descending = take(logits, choice)
    chance = np.exp(descending - descending[:, :1])
    passed = chance.cumsum(1)
    return Ordered(choice, chance, passed - chance < share * passed[:, -1:])


def sampled(logits: Logits, temperature: float, share: float) -> Int[np.ndarray, " n"]:
    """Sample a choice of each row from its nucleus, with torch's global generator.

    As `core.densities.transformer.sample_logits`, which takes the same random numbers.
    """
    if temperature != 1:
        logits = logits / temperature
    if share >= 1:
        return _sampled(softmax(logits))
    choice, chance, is_inside = ordered(logits, share)
    return take(choice, _sampled(chance * is_inside)[:, None])[:, 0]


def _sampled(p: Chances) -> Int[np.ndarray, " n"]:
    """Sample an index of each row in proportion: the least of exponential times of rates p."""
    return (p / torch.empty(p.shape).exponential_().numpy()).argmax(1)


def chances(logits: Logits, temperature: float, share: float) -> Chances:
    """Return the probabilities at a temperature, of which those outside the nucleus are `RARE`."""
    logits = logits / temperature
    if share >= 1:
        return softmax(logits)
    choice, chance, is_inside = ordered(logits, share)
    chance = chance * np.where(is_inside, 1, chance.dtype.type(RARE))
    p = take(chance, choice.argsort(1))
    return p / p.sum(1, keepdims=True)


def hazards(p: Chances, last: float) -> Chances:
    """Return p(choice) / P(this one or a later one); `last` is that of the last one.

    >>> hazards(np.array([[0.2, 0.4, 0.3, 0.1]]), 0.6).round(4)
    array([[0.2 , 0.5 , 0.75, 0.6 ]])
    """
    from_here = p[:, ::-1].cumsum(1)[:, ::-1]
    hazard = np.minimum(p / np.maximum(from_here, TINY), 1)
    hazard[:, -1] = last
    return hazard


def denser(hazard: Chances, density: float) -> Chances:
    """Return the hazards of the survival function to the power `density`.

    >>> denser(np.array([[0.0, 0.5, 1.0]]), 2.0)
    array([[0.  , 0.75, 1.  ]])
    """
    return hazard if density == 1 else 1 - (1 - hazard) ** density


def of_slots(
    of_step: Float[np.ndarray, "row step"], of_track: Float[np.ndarray, "row step track"]
) -> Slots:
    """Return the hazard of each slot, of that of its step and the probabilities of its tracks.

    >>> of_slots(np.array([[0.5]]), np.array([[[0.4, 0.6]]]))
    array([[[0.2  , 0.375]]])
    """
    p = of_step[..., None] * of_track
    before = p.cumsum(2) - p
    return np.minimum(p / np.maximum(1 - before, TINY), 1)


def descendants(
    share: Float[np.ndarray, " particle"], uniform: float
) -> Int[np.ndarray, " particle"]:
    """Return which particle goes on in each one's place, by systematic resampling.

    A particle that goes on stays in its own place. Kitagawa, 1996.

    >>> descendants(np.array([0.1, 0.0, 0.7, 0.2]), 0.9).tolist()
    [2, 2, 2, 3]
    """
    count = len(share)
    edges = (share.cumsum() / share.sum()).clip(max=1)
    children = np.searchsorted(edges, (np.arange(count) + uniform) / count)
    number = np.bincount(children.clip(max=count - 1), minlength=count)
    parents = np.arange(count)
    parents[number == 0] = parents.repeat((number - 1).clip(min=0))
    return parents
