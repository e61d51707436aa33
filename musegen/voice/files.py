"""Sound files of notes."""

import numpy as np
from jaxtyping import Float

from musegen.files.audio import wav
from musegen.voice.fundamental import Sound

OVERLAP = 0.5
"""Share of a note during which it passes into the next one."""


def encode_wav(sound: Sound, rate: int) -> bytes:
    """Return a mono .wav of 16 bits."""
    return wav(sound[None].astype(np.float32), rate)


def joined(sounds: Float[np.ndarray, "note sample"]) -> Sound:
    """Return notes as one sound, in which each passes into the next one.

    The squares of the two gains add up to 1.
    """
    samples = sounds.shape[1]
    overlap = round(OVERLAP * samples)
    share = np.linspace(0, np.pi / 2, overlap)
    whole = np.zeros((len(sounds) - 1) * (samples - overlap) + samples)
    for number, sound in enumerate(sounds):
        note = sound.astype(np.float64)
        if number:
            note[:overlap] *= np.sin(share)
        if number < len(sounds) - 1:
            note[samples - overlap :] *= np.cos(share)
        begin = number * (samples - overlap)
        whole[begin : begin + samples] += note
    return whole
