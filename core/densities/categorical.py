"""Categorical choices, in numpy: nuclei, samples, and hazards of what comes one after another."""

import numpy as np
from jaxtyping import Float, Int

from core.densities.arrays import numbers_to, take

RARE = 1e-6
"""The factor of what lies outside of the nucleus: it is sampled where nothing else can be."""

TINY = 1e-30

Logits = Float[np.ndarray, "n choice"]

Probabilities = Float[np.ndarray, "n choice"]
"""Probabilities, or hazards, of choices."""

Shares = Float[np.ndarray, "n 1"]
"""The share of its probability that the nucleus of each row has."""

Slots = Float[np.ndarray, "row step track"]
"""Probabilities, or hazards, of the slots of a beat."""


def log_softmax(logits: Float[np.ndarray, "*n choice"]) -> Float[np.ndarray, "*n choice"]:
    """Return log of the softmax probabilities."""
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def softmax(logits: Float[np.ndarray, "*n choice"]) -> Float[np.ndarray, "*n choice"]:
    """Return the probabilities of logits."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def ordered(
    logits: Logits, share: float | Shares
) -> tuple[Int[np.ndarray, "n choice"], Probabilities, Probabilities, Int[np.ndarray, " n"]]:
    """Return the choices from the likeliest one on, their chances relative to it, those summed up
    to each choice, and which is the last one of the nucleus: as few as have its share in all.

    Nucleus (top-p) sampling, Holtzman et al., ICLR 2020, eq. 2, before it is normalised.
    """
    rising = -logits
    choice = rising.argsort(1)
    rising.sort(1)  # faster than to take them in the order of the choices
    chance = np.exp(rising[:, :1] - rising)
    passed = np.add.accumulate(chance, 1)
    return choice, chance, passed, (passed >= share * passed[:, -1:]).argmax(1)


def sampled(
    logits: Logits,
    temperature: float,
    share: float | Shares,
    uniform: Float[np.ndarray, " n"],
) -> Int[np.ndarray, " n"]:
    """Sample a choice of each row from its nucleus, for uniform numbers from 0 to below 1.

    The inverse of the distribution function: the first choice up to which there is more than the
    share `uniform` of the nucleus.

    >>> logits = np.log([[0.2, 0.5, 0.3]])
    >>> [int(sampled(logits, 1.0, 0.7, np.array([u]))[0]) for u in (0.0, 0.62, 0.63, 0.99)]
    [1, 1, 2, 2]
    """
    if temperature != 1:
        logits = logits / temperature
    choice, _, passed, last = ordered(logits, share)
    row = numbers_to(len(logits), logits)
    there = passed > (uniform * passed[row, last])[:, None]
    return choice[row, there.argmax(1)]


def probabilities(logits: Logits, temperature: float, share: float | Shares) -> Probabilities:
    """Return the probabilities at a temperature, of which those outside the nucleus are `RARE`."""
    logits = logits / temperature
    if np.min(share) >= 1:
        return softmax(logits)
    choice, chance, _, last = ordered(logits, share)
    is_inside = numbers_to(chance.shape[1], chance) <= last[:, None]
    chance = chance * np.where(is_inside, 1, chance.dtype.type(RARE))
    p = take(chance, choice.argsort(1))
    return p / p.sum(1, keepdims=True)


def hazards(p: Probabilities, last: float) -> Probabilities:
    """Return p(choice) / P(this one or a later one); `last` is that of the last one.

    >>> hazards(np.array([[0.2, 0.4, 0.3, 0.1]]), 0.6).round(4)
    array([[0.2 , 0.5 , 0.75, 0.6 ]])
    """
    from_here = p[:, ::-1].cumsum(1)[:, ::-1]
    hazard = np.minimum(p / np.maximum(from_here, TINY), 1)
    hazard[:, -1] = last
    return hazard


def denser(hazard: Probabilities, density: float) -> Probabilities:
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
