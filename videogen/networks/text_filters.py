"""Critics with text filters: the caption becomes kernels that convolve a clip's features.

    critic_frames    scores each frame, with filters of what the caption says of content
    critic_clips     scores the clip as a volume, with filters of what it says of motion

Each reads captions by an encoder of its own, filters its features at two resolutions, and at the
last one reads them beside the caption; a linear map of the three gives the score. Balaji, Min,
Bai, Chellappa and Graf, Conditional GAN with Discriminative Filter Generation for Text-to-Video
Synthesis, IJCAI 2019, section 3. Filters of the paper are dense maps of the caption: each of the
25,600 numbers of 32 x 32 channels of 5 x 5 pixels, half of the channels from an earlier level of
its encoder: 291 million weights in all, here `text.reader=convolutions` with `filter_rank=0`.
Those of a low rank mix a few learned kernels (`VideoConfig.filter_rank`).
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.convolutions import CONVOLUTION, CONVOLVE
from core.networks.generators import POOL
from core.theory.shapes import Features, Scores
from videogen.files.clip import Clips
from videogen.networks.chunks import RGB
from videogen.networks.config import VideoConfig
from videogen.networks.critic import shift_clips
from videogen.networks.resampling import Grid
from videogen.networks.text import Levels, Tokens, caption_encoder

FILTER = {2: (5, 5), 3: (3, 5, 5)}
"""The paper's kernels: rows and columns, and frames."""
READ = 128
"""Numbers that each of the three readings gives to the score."""
SIDE = 4
"""Rows and columns to which filtered features are averaged."""
SCALES = (0, 2)
"""Blocks whose features are filtered: at a half and at an eighth of the resolution, as there."""

Maps = Float[Tensor, "sample channel *position"]
"""Features of frames, or of clips, whose first position is time."""
Output = Float[Tensor, "sample _ *_"]
"""Maps of another width or resolution."""
Readings = Float[Tensor, "sample number"]
Kernels = Float[Tensor, "caption output channel *kernel"]


def convolve_each(maps: Maps, kernels: Kernels) -> Output:
    """Convolve samples with the kernels of their captions, in the form that is faster there.

    There are as many samples for each caption as there are, in order: the frames of its clip.
    cuDNN has fast kernels for groups of pictures, but none for groups of volumes: 64 captions on
    an H100, 64 channels, forward and backward, take 221 ms in groups and 20 ms one by one.
    """
    one_by_one = maps.is_cuda and maps.ndim == 5
    return (convolve_one_by_one if one_by_one else convolve_in_groups)(maps, kernels)


def convolve_in_groups(maps: Maps, kernels: Kernels) -> Output:
    """Convolve with the kernels of all captions in one grouped convolution."""
    captions = len(kernels)
    grouped = maps.unflatten(0, (captions, -1)).transpose(0, 1)  # [repeat caption channel *p]
    weight = kernels.flatten(0, 1)  # [(caption output) channel *kernel]
    convolved = CONVOLVE[maps.ndim - 2](
        grouped.flatten(1, 2), weight, padding=_padding(kernels), groups=captions
    )  # [repeat (caption output) *position]
    each = convolved.unflatten(1, (captions, -1)).transpose(0, 1)  # [caption repeat output *p]
    return each.flatten(0, 1)  # [sample output *position]


def convolve_one_by_one(maps: Maps, kernels: Kernels) -> Output:
    """Convolve with the kernels of one caption after another."""
    convolve, padding = CONVOLVE[maps.ndim - 2], _padding(kernels)
    pairs = zip(maps.chunk(len(kernels)), kernels, strict=True)
    return torch.cat([convolve(own, kernel, padding=padding) for own, kernel in pairs])


def _padding(kernels: Kernels) -> list[int]:
    """Return the padding that keeps the size of maps."""
    return [size // 2 for size in kernels.shape[3:]]


class TextFilter(nn.Module):
    """Convolve features with kernels that the caption gives, of the same number of channels.

    `rank`: learned kernels that a caption mixes; 0: every number of a kernel is a linear map of
    the caption's condition, as in the paper. `earlier`: numbers of an earlier level of the
    caption, from which the kernels of the first half of the channels follow.
    """

    def __init__(
        self, condition: int, channels: int, kernel: Sequence[int], rank: int, earlier: int = 0
    ):
        super().__init__()
        self.of_one = (channels, *kernel)
        first = channels // 2 if earlier else 0
        self.early = self._kernels(earlier, first, rank) if earlier else None
        self.kernels = self._kernels(condition, channels - first, rank)
        self.gain = math.prod(self.of_one) ** -0.5  # the response keeps the features' variance

    def _kernels(self, condition: int, outputs: int, rank: int) -> nn.Module:
        numbers = outputs * math.prod(self.of_one)
        if rank:
            return nn.Sequential(nn.Linear(condition, rank), nn.Linear(rank, numbers))
        return nn.Linear(condition, numbers)

    def forward(self, maps: Maps, levels: Levels) -> Maps:
        early, c = levels
        numbers = self.kernels(c)  # [caption (out in *kernel)]
        if self.early:
            numbers = torch.cat([self.early(early), numbers], 1)
        kernels = self.gain * numbers.unflatten(1, (-1, *self.of_one))  # [caption out in *kernel]
        return F.leaky_relu(convolve_each(maps, kernels.to(maps.dtype)), 0.2)


class Block(nn.Module):
    """A residual block: x, or a linear map of it, plus a convolution of activated x."""

    def __init__(self, axes: int, inputs: int, outputs: int):
        super().__init__()
        self.convolution = CONVOLUTION[axes](inputs, outputs, 3, padding=1)
        self.skip = nn.Identity()
        if inputs != outputs:
            self.skip = CONVOLUTION[axes](inputs, outputs, 1)

    def forward(self, maps: Maps) -> Output:
        return self.skip(maps) + self.convolution(F.leaky_relu(maps, 0.2))


class FilteredReading(nn.Module):
    """Read features that a text filter has convolved: averaged to few places, one linear map."""

    def __init__(self, config: VideoConfig, axes: int, inputs: int, earlier: int):
        super().__init__()
        channels = config.critic_channels
        self.narrow = CONVOLUTION[axes](inputs, channels, 1)
        self.by_caption = config.text_filter
        self.filter = TextFilter(
            config.caption, channels, FILTER[axes], config.filter_rank, earlier
        )
        self.read = nn.Linear(channels * SIDE**2, READ)

    def forward(self, maps: Maps, levels: Levels) -> Readings:
        early, c = levels if self.by_caption else map(torch.zeros_like, levels)
        filtered = self.filter(self.narrow(maps), (early, c))
        if filtered.ndim > 4:
            filtered = filtered.mean(2)  # [sample channel row column]
        return self.read(F.adaptive_avg_pool2d(filtered, SIDE).flatten(1))  # [sample number]


class FilterCritic(nn.Module):
    """Score frames (`axes` 2) or whole clips (3), alone or with their captions.

    Frames have a score each, as patches have. Without captions nothing is filtered. The first
    convolution halves the resolution, where the paper has two blocks before it halves: of a
    step's time these would take most.
    """

    def __init__(self, config: VideoConfig, axes: int, size: int, frames: int, words: int | None):
        super().__init__()
        self.axes = axes
        channels, halvings = config.critic_channels, Grid.of(size).doublings
        widths = [channels * min(4, 2 ** ((number + 1) // 2)) for number in range(halvings + 1)]
        self.first = CONVOLUTION[axes](RGB, channels, 4, stride=2, padding=1)
        pairs = itertools.pairwise([channels, *widths])
        self.blocks = nn.ModuleList(Block(axes, a, b) for a, b in pairs)
        self.scales = [number for number in SCALES if number <= halvings and words is not None]
        inputs = widths[-1] * _places(axes, size, frames, halvings)
        if words is not None:
            self.caption = caption_encoder(config.text, words)
            earlier = config.clauses * self.caption.earlier
            self.filtered = nn.ModuleList(
                FilteredReading(config, axes, widths[number], earlier) for number in self.scales
            )
            inputs += config.caption
        self.last = nn.Linear(inputs, READ)
        self.width = READ * (1 + len(self.scales))
        self.head = nn.Linear(self.width, 1)

    def forward(self, clips: Clips, tokens: Tokens | None = None) -> Scores:
        return self.features_and_scores(clips, tokens)[1]

    def features(self, clips: Clips, tokens: Tokens | None = None) -> Features:
        """Return the numbers of which the score is a linear map; of frames their mean."""
        return self.features_and_scores(clips, tokens)[0]

    def features_and_scores(
        self, clips: Clips, tokens: Tokens | None = None
    ) -> tuple[Features, Scores]:
        readings = self._readings(clips, tokens)
        features = readings.unflatten(0, (len(clips), -1)).mean(1)  # [batch feature]
        scores = self.head(readings).squeeze(1)
        if self.axes == 2:
            scores = scores.unflatten(0, (len(clips), -1))  # [batch time]
        return features, scores

    def augment(self, clips: Clips) -> Clips:
        """Return the clips as training shows them with augmentation: half of them shifted."""
        return shift_clips(clips)

    def _readings(self, clips: Clips, tokens: Tokens | None) -> Readings:
        """Return the readings of each frame or clip: two filtered ones and the last."""
        levels = self.caption.levels(tokens) if tokens is not None else None
        maps = clips
        if self.axes == 2:
            maps = clips.transpose(1, 2).flatten(0, 1)  # [(batch time) rgb height width]
        maps = self.first(maps)
        readings = []
        for number, block in enumerate(self.blocks):
            maps = block(_halve(maps, number) if number else maps)
            if number in self.scales and levels is not None:
                filtered = self.filtered[self.scales.index(number)]
                readings.append(filtered(maps, levels))
        last = maps.flatten(1)  # [sample (channel *position)]
        if levels is not None:
            c = levels[1]
            each = c.repeat_interleave(len(last) // len(c), 0)  # [sample condition]
            last = torch.cat([last, each], 1)
        readings.append(self.last(F.leaky_relu(last, 0.2)))
        return F.leaky_relu(torch.cat(readings, 1), 0.2)


def _halve(maps: Maps, number: int) -> Output:
    """Halve rows and columns; of volumes the frames too, but for the first halving."""
    axes = maps.ndim - 2
    time = (2,) if number > 1 and maps.shape[2] > 1 else (1,)
    kernel = (2, 2) if axes == 2 else (*time, 2, 2)
    return POOL[axes](maps, kernel, ceil_mode=True)


def _places(axes: int, size: int, frames: int, halvings: int) -> int:
    """Return the positions of the coarsest features: rows times columns, of volumes times frames.

    >>> _places(2, 64, 16, halvings=4), _places(3, 64, 16, halvings=4)
    (4, 4)
    >>> _places(3, 32, 16, halvings=3), _places(3, 33, 5, halvings=3)
    (8, 4)
    """
    maps = torch.zeros(1, 1, *(frames // 2, size // 2, size // 2)[3 - axes :])
    for number in range(1, halvings + 1):
        maps = _halve(maps, number)
    return maps.numel()
