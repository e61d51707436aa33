"""Time in clips: chunks of consecutive frames, and the moments between two frames.

The frames of a chunk share one two-dimensional map, in its channels.

Neighbouring frames differ little, so a convolution over the channels of a chunk replaces a
three-dimensional one at a fraction of its cost. The last frame of an odd number is repeated.

>>> split_chunks(torch.zeros(2, 3, 15, 32, 32)).shape
torch.Size([2, 8, 6, 32, 32])
"""

import torch
from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips

RGB = 3
FRAMES_PER_CHUNK = 2

Chunks = Float[Tensor, "batch chunk chunk_channel height width"]
"""The channels are the frames of a chunk in order, each with its channels."""


Times = Float[Tensor, " moment"]
"""In frames, from 0; between two frames lie the moments that training did not show."""


def chunks_of(frames: int) -> int:
    """Return the number of chunks that `frames` frames fill, the last perhaps in part."""
    return -(-frames // FRAMES_PER_CHUNK)


def split_chunks(clips: Clips) -> Chunks:
    """Split clips along time; `join_chunks` is the inverse."""
    if missing := -clips.shape[2] % FRAMES_PER_CHUNK:
        clips = torch.cat([clips, clips[:, :, -missing:]], 2)
    chunks = clips.unflatten(2, (-1, FRAMES_PER_CHUNK))  # [batch rgb chunk frame height width]
    return chunks.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)  # [batch chunk (frame rgb) height width]


def join_chunks(chunks: Chunks, frames: int) -> Float[Tensor, "batch channel time height width"]:
    """Join chunks to `frames` frames, which may have other channels than red, green and blue."""
    joined = chunks.unflatten(2, (FRAMES_PER_CHUNK, -1))  # [batch chunk frame channel row column]
    joined = joined.flatten(1, 2)[:, :frames]  # [batch time channel row column]
    return joined.transpose(1, 2)  # [batch channel time height width]


def between(numbers: Float[Tensor, "*any"], times: Times, axis: int) -> Float[Tensor, "*moments"]:
    """Return numbers at times between their places along an axis, by linear interpolation.

    They stay at their ends.

    >>> between(torch.tensor([[0.0, 4.0]]), torch.tensor([0.0, 0.25, 9.0]), 1).tolist()
    [[0.0, 1.0, 4.0]]
    """
    last = numbers.shape[axis] - 1
    before = times.floor().long().clamp(0, last)
    after = (before + 1).clamp(max=last)
    shape = [-1, *[1] * (numbers.ndim - 1 - axis)]
    share = (times - before).clamp(0, 1).view(shape)  # [moment *1]
    ends = numbers.index_select(axis, before), numbers.index_select(axis, after)
    return torch.lerp(*ends, share.expand_as(ends[0]))


def spline(
    numbers: Float[Tensor, "*any"], places: Float[Tensor, " place"], axis: int
) -> Float[Tensor, "*places"]:
    """Return numbers between their places along an axis, by the spline of Catmull and Rom (1974).

    It goes through all of them; beyond the ends its last piece goes on.

    >>> spline(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([1.0, 1.5, 2.25, -0.5]), 0).tolist()
    [1.0, 2.375, 4.671875, -0.875]
    """
    last = numbers.shape[axis] - 1
    if not last:
        return numbers.index_select(axis, places.long() * 0)
    first, second = numbers.narrow(axis, 0, 2).split(1, axis)
    earlier, end = numbers.narrow(axis, last - 1, 2).split(1, axis)
    padded = torch.cat([2 * first - second, numbers, 2 * end - earlier], axis)
    before = places.floor().long().clamp(0, last - 1)
    t = (places - before).view([-1, *[1] * (numbers.ndim - 1 - axis)])  # [place *1]
    p, q, r, s = (padded.index_select(axis, before + number) for number in range(4))
    return q + t / 2 * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)))
