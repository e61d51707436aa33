"""Conditions of notes: their pitches, by name and as one-hot vectors."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from core.app.domain import Examples
from core.errors import UserError
from musegen.voice.configuration import DataSpec
from musegen.voice.data.collection import NoteBatch
from musegen.voice.data.names import name_of_pitch


def one_hot(pitches: Int[np.ndarray, " note"] | Sequence[int], spec: DataSpec) -> Tensor:
    """Return pitches as one-hot vectors; `UserError` for one that the model does not know."""
    numbers = torch.as_tensor(np.asarray(pitches), dtype=torch.long)
    unknown = numbers[(numbers < spec.lowest) | (numbers > spec.highest)]
    if len(unknown):
        low, high = (f"{name_of_pitch(end)} ({end})" for end in (spec.lowest, spec.highest))
        raise UserError(f"the model knows pitches from {low} to {high}, not {unknown[0]}")
    return F.one_hot(numbers - spec.lowest, spec.pitches).float()


def examples_of(batch: NoteBatch) -> Examples:
    """Return notes as examples, with their pitches' names as conditions."""
    names = [name_of_pitch(pitch) for pitch in batch.pitches.tolist()]
    return Examples(torch.from_numpy(batch.sounds), names)
