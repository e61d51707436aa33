"""Maximum mean discrepancy of clips, which `gmmn` minimises: clips of a word are nearest."""

import torch

from core.theory.divergences import mmd
from videogen.files.clip import to_clips
from videogen.shapes.dataset import MovingShapes


def clips(word: str, number: int) -> torch.Tensor:
    return to_clips(MovingShapes(16, 8, showing=word).batch(number, 96, seed=0)[0])


def test_real_halves_lie_nearest_then_independent_pixels_then_other_words_then_noise():
    torch.manual_seed(0)
    reference = clips("red", 0)
    independent = reference.gather(0, torch.rand_like(reference).argsort(0))
    compared = (clips("red", 1), independent, clips("blue", 2), 2 * torch.rand_like(reference) - 1)
    half, shuffled, other, noise = (mmd(x, reference).item() for x in compared)
    assert abs(half) < 0.01
    assert 0.015 < shuffled < other < noise
