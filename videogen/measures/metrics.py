"""Metrics of clips: caption accuracy, diversity, reconstruction.

Similarities come from `videogen.measures.classifier`.
"""

from collections.abc import Sequence
from math import nan

import numpy as np
from jaxtyping import Float

from videogen.files.clip import Clips

Similarity = Float[np.ndarray, "clip caption"]


def caption_accuracy(similarity: Similarity, captions: Sequence[str]) -> float:
    """Return how often a clip is more similar to its caption than to a different one, 0 to 1.

    The mean over all pairs of clip k, generated for caption k, and a different caption; ties count
    half. Chance is 0.5; NaN if all captions are equal.
    """
    own = similarity.diagonal()[:, None]  # [clip 1]
    different = _different(captions)
    wins = (own > similarity) + 0.5 * (own == similarity)
    return float(wins[different].mean()) if different.any() else nan


def top1_accuracy(similarity: Similarity, captions: Sequence[str]) -> float:
    """Return how often a clip's own caption is the most similar of all, 0 to 1.

    Chance is 1 / number of different captions; NaN if all captions are equal.
    """
    if not _different(captions).any():
        return nan
    nearest = similarity.argmax(1)
    return float(np.mean([captions[n] == captions[k] for k, n in enumerate(nearest)]))


def _different(captions: Sequence[str]) -> np.ndarray:
    """Return which pairs of captions differ, [caption caption]."""
    indices = np.unique(captions, return_inverse=True)[1]
    return indices[:, None] != indices[None, :]


def diversity(one: Clips, other: Clips) -> float:
    """Return the mean difference between two clips of one caption, 0 to 1.

    `one[k]` and `other[k]` are of caption k. The difference of two clips is the root mean square
    over pixels, as a share of the range of 2.
    """
    differences = ((one.float() - other.float()) / 2).square().mean((1, 2, 3, 4)).sqrt()
    return float(differences.mean())


def sharpness(clips: Clips) -> float:
    """Return the mean squared difference of neighbouring pixels, along rows and columns."""
    rows = (clips[..., 1:, :] - clips[..., :-1, :]).square().mean()
    columns = (clips[..., 1:] - clips[..., :-1]).square().mean()
    return float(rows + columns)


def motion(clips: Clips) -> float:
    """Return the mean squared difference of a pixel from one frame to the next."""
    return float((clips[:, :, 1:] - clips[:, :, :-1]).square().mean())


def explained_variance(clips: Clips, reconstructions: Clips) -> float:
    """Return the share of the clips' variance that reconstructions explain (R squared).

    1 for perfect reconstructions, 0 for the mean clip, negative for worse. NaN where all clips are
    one, which do not vary.
    """
    if (clips == clips[:1]).all():  # else rounding of their mean is taken for their variance
        return nan
    error = ((clips - reconstructions) ** 2).mean()
    return float(1 - error / ((clips - clips.mean(0)) ** 2).mean())
