"""Clips in layers: clip = mask * foreground + (1 - mask) * background.

Vondrick, Pirsiavash and Torralba, Generating Videos with Scene Dynamics, NIPS 2016, equation 2. Of
several foregrounds each has a mask of its own, and the background what the masks leave.
"""

from collections.abc import Callable
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from core.theory.distributions import Delta, Distribution
from core.theory.shapes import Losses, Samples
from videogen.files.clip import Clips, Images

Masks = Float[Tensor, "batch clause 1 time height width"]
"""Weight of each clause's foreground, in [0, 1]."""
Foregrounds = Float[Tensor, "batch clause 3 time height width"]
Streams = tuple[Foregrounds, Masks, Images]
"""Foregrounds, their masks, and the background."""


class LayeredClip(Distribution):
    """p(clip given z, c) by way of foregrounds, masks and a background that does not move.

    `draw` computes them, when they are first asked for.
    """

    def __init__(self, draw: Callable[[], Streams], pixel_std: float):
        self._draw, self.pixel_std = draw, pixel_std

    @cached_property
    def streams(self) -> Streams:
        """The foreground and the mask of each clause, and the background."""
        return self._draw()

    @property
    def parts(self) -> dict[str, Tensor]:
        """Return the layers of the clip by name: the mask in [0, 1], all others in [-1, 1].

        Of several clauses the masks are added, and the foregrounds weighted by them.
        """
        foregrounds, masks, background = self.streams
        mask = self.mask
        foreground = (masks * foregrounds).sum(1) / mask.clamp(min=1e-6)
        return {"background": background, "mask": mask, "foreground": foreground}

    @property
    def background(self) -> Images:
        return self.streams[2]

    @property
    def mask(self) -> Float[Tensor, "batch 1 time height width"]:
        """Return the share of the foregrounds in each pixel."""
        return self.streams[1].sum(1)

    @cached_property
    def mean(self) -> Clips:
        foregrounds, masks, background = self.streams
        moving = foregrounds - background[:, None, :, None]  # [batch clause rgb time height width]
        return background[:, :, None] + (masks * moving).sum(1)  # [batch rgb time height width]

    @property
    def representative(self) -> Clips:
        """Return the clip: given z and c it is deterministic."""
        return self.mean

    def rsample(self) -> Clips:
        return self.mean

    def log_prob(self, value: Samples) -> Losses:
        return Delta(self.mean, self.pixel_std).log_prob(value)
