"""Loudness of sound by ITU-R BS.1770-4, in pieces: memory does not grow with the length."""

from collections.abc import Iterator

import numpy as np
import torch
import torchaudio
from jaxtyping import Float
from torch import Tensor

from musegen.files.audio import SAMPLE_RATE, Audio

HOP = SAMPLE_RATE // 10
"""Samples from one block to the next; a block is 0.4 s, of which three quarters overlap."""

HOPS_OF_A_BLOCK = 4

PIECE, WARM_UP = 100 * HOP, 10 * HOP
"""Samples that are weighted at once, and those before them from which the filters begin."""

HEADROOM = 8.0
"""Samples are divided by it: torchaudio's filters clip at 1."""

OFFSET_LUFS = -0.691
SILENCE_LUFS, BELOW_LU = -70.0, 10.0
"""Blocks below the first, or so much below the mean of the others, do not count."""

Energies = Float[np.ndarray, " block"]


def loudness(audio: Audio) -> float:
    """Return the integrated loudness in LUFS, -inf where no block counts.

    l = -0.691 + 10 lg of the mean energy, over blocks above -70 LUFS and above l' - 10 LU, where
    l' is the loudness of blocks above -70 LUFS (Recommendation BS.1770-4, equations 3 to 7).
    """
    hops = np.concatenate([np.zeros(0), *map(_hop_energies, _pieces(audio))])
    if len(hops) < HOPS_OF_A_BLOCK:
        return -np.inf
    energies = np.convolve(hops, np.full(HOPS_OF_A_BLOCK, 1 / HOPS_OF_A_BLOCK), "valid")
    audible = energies[_lufs(energies) > SILENCE_LUFS]
    if not len(audible):
        return -np.inf
    loud = audible[_lufs(audible) > _lufs(audible.mean(keepdims=True)) - BELOW_LU]
    return float(_lufs(loud.mean(keepdims=True))[0])


def _pieces(audio: Audio) -> Iterator[tuple[Audio, int]]:
    """Yield pieces with the samples before them, and how many these are."""
    whole = audio.shape[1] // HOP * HOP
    for begin in range(0, whole, PIECE):
        first = max(0, begin - WARM_UP)
        yield audio[:, first : min(begin + PIECE, whole)], begin - first


def _hop_energies(piece: tuple[Audio, int]) -> Energies:
    """Return the K-weighted energy of each hop, summed over both channels."""
    samples, before = piece
    x: Tensor = torch.from_numpy(samples / np.float32(HEADROOM))
    x = torchaudio.functional.treble_biquad(x, SAMPLE_RATE, 4.0, 1500.0, 0.5**0.5)
    x = torchaudio.functional.highpass_biquad(x, SAMPLE_RATE, 38.0, 0.5)
    by_hop = x[:, before:].unflatten(1, (-1, HOP))  # [channel hop sample]
    return HEADROOM**2 * by_hop.double().square().mean(2).sum(0).numpy()


def _lufs(energy: Energies) -> Energies:
    with np.errstate(divide="ignore"):
        return OFFSET_LUFS + 10 * np.log10(energy)
