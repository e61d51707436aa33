"""Resemblance of phrases: to one another and to their reconstructions."""

import numpy as np

from musegen.measures.metrics import mean_or_nan
from musegen.roll import ONSET, SILENT, Phrases


def self_similarity(cells: Phrases, pairs: int = 500, seed: int = 0) -> float:
    """Return the mean Jaccard similarity of two phrases' sounding cells, 0 to 1.

    Over `pairs` random pairs. Low means diverse: phrases of real songs have about 0.03.
    """
    generator = np.random.default_rng(seed)
    sounding = (cells > SILENT).reshape(len(cells), -1)  # [phrase cell]
    first, second = generator.integers(0, len(cells), (2, pairs))
    different = first != second
    a, b = sounding[first[different]], sounding[second[different]]
    jaccard = (a & b).sum(1) / np.maximum((a | b).sum(1), 1)
    return mean_or_nan(jaccard)


def onset_f1(phrases: Phrases, reconstruction: Phrases) -> float:
    """Return the F1 score of a reconstruction's onsets, 0 to 1; 1 where there is no note at all.

    An onset is right where the same track starts the same pitch at the same step.
    """
    real, found = phrases == ONSET, reconstruction == ONSET
    total = real.sum() + found.sum()
    return float(2 * (real & found).sum() / total) if total else 1.0


def overlapping_area(generated: np.ndarray, real: np.ndarray, bins: int = 50) -> float:
    """Return the area under both histograms of a metric, 0 to 1 (Yang and Lerch 2020).

    NaNs are left out; 0 where nothing else is left.
    """
    generated, real = generated[~np.isnan(generated)], real[~np.isnan(real)]
    if not len(generated) or not len(real):
        return 0.0
    edges = np.histogram_bin_edges(np.concatenate([generated, real]), bins)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (generated, real)]
    return float(np.minimum(*shares).sum())
