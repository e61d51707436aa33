"""Chunks: consecutive frames that share one two-dimensional map, in its channels.

Neighbouring frames differ little, so a convolution over the channels of a chunk replaces a
three-dimensional one at a fraction of its cost.

>>> import torch
>>> split_chunks(torch.zeros(2, 3, 16, 32, 32)).shape
torch.Size([2, 8, 6, 32, 32])
"""

from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips

RGB = 3
FRAMES_PER_CHUNK = 2

Chunks = Float[Tensor, "batch chunk chunk_channel height width"]
"""The channels are the frames of a chunk in order, each with its channels."""


def split_chunks(clips: Clips) -> Chunks:
    """Split clips along time; `join_chunks` is the inverse."""
    chunks = clips.unflatten(2, (-1, FRAMES_PER_CHUNK))  # [batch rgb chunk frame height width]
    return chunks.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)  # [batch chunk (frame rgb) height width]


def join_chunks(chunks: Chunks) -> Float[Tensor, "batch channel time height width"]:
    """Join chunks along time; frames may have other channels than red, green and blue."""
    frames = chunks.unflatten(2, (FRAMES_PER_CHUNK, -1))  # [batch chunk frame channel row column]
    return frames.flatten(1, 2).transpose(1, 2)  # [batch channel time height width]
