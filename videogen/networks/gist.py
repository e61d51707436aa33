"""Text to video by way of a gist: the networks of Li, Min, Shen, Carlson and Carin (AAAI 2018).

    encoder   q(z given clip, c)    a Gaussian, from a few frames and the caption's condition c
    prior     p(z given c)          a Gaussian for each caption
    decoder   p(clip given z, c)    in three steps:
                  gist        an image, the clip's first frame, from the first half of z and c
                  filter      the gist is convolved with a kernel that depends on c (Text2Filter)
                  streams     clip = mask * foreground + (1 - mask) * background

Where captions may have several clauses, each has latents of its own, is filtered out of the gist
by its own kernel, and has a foreground and a mask of its own: masks are a softmax over the
background, whose logit is 0, and the clauses. For one clause that is the paper's sigmoid.

The paper gives no sizes. These are small enough for a CPU: frames are generated in chunks by
two-dimensional convolutions, mostly at a quarter of the area. A chunk is a function of its time,
so that a clip can be sampled at any times.
"""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.generators import ProgressiveGenerator
from core.networks.heads import MLP, PosteriorHead
from core.theory.distributions import Delta, Distribution, as_gaussian
from core.theory.shapes import Latents
from core.theory.tracing import is_traced
from videogen.files.clip import Clips, Images
from videogen.networks.chunks import FRAMES_PER_CHUNK, RGB, Times, chunks_of, join_chunks, spline
from videogen.networks.clauses import ByClause, Present, by_clause, joined, others, present
from videogen.networks.config import VideoConfig
from videogen.networks.layers import LayeredClip, Streams
from videogen.networks.resampling import Downsampler, Grid, Maps, generator
from videogen.networks.text import Condition

HARMONICS = 6
"""Sines and cosines of the time embedding."""


class Text2Filter(nn.Module):
    """Convolve an image with kernels that depend on the caption (section "Text2Filter").

    Each kernel is a linear combination of a learned basis. As convolution is linear, the image is
    convolved with the basis once and the responses are combined.
    """

    def __init__(self, condition: int, filters: int, by_caption: bool):
        super().__init__()
        self.basis = nn.Conv2d(RGB, filters, 5, 2, 2)
        self.mixture = nn.Linear(condition, filters * filters)
        self.by_caption = by_caption

    def forward(self, image: Images, c: Condition) -> Maps:
        responses = self.basis(image)  # [batch filter row column]
        code = c if self.by_caption else torch.zeros_like(c)
        count = responses.shape[1]
        mixture = self.mixture(code).unflatten(1, (count, count))  # [batch output filter]
        mixture = mixture.to(responses.dtype) / math.sqrt(count)
        mixed = torch.bmm(mixture, responses.flatten(2))  # [batch output (row column)]
        return F.leaky_relu(mixed.view_as(responses), 0.2)  # [batch output row column]


class ClipByGist(LayeredClip):
    """p(clip given z, c), computed lazily: a term of the gist alone never decodes the clip."""

    def __init__(self, decoder: "Decoder", z: Latents, c: Condition, times: Times | None = None):
        # Nothing that a clip has may lead back to it: a cycle, with all activations of the step,
        # would stay in memory until Python looks for cycles.
        draw_gist = cache(lambda: Delta(decoder.gist_image(z, c), decoder.pixel_std))
        self._gist = draw_gist if decoder.has_gist else None

        def draw() -> Streams:
            return decoder.streams(z, c, draw_gist().mean if decoder.has_gist else None, times)

        super().__init__(draw, decoder.pixel_std)

    @property
    def gist(self) -> Delta:
        """p(gist given z, c)."""
        assert self._gist, "a decoder without a gist"
        return self._gist()

    @property
    def parts(self) -> dict[str, Tensor]:
        """Return the layers of the clip by name, with the gist."""
        gist = {"gist": self.gist.mean} if self._gist else {}
        return {**gist, **super().parts}


class Decoder(nn.Module):
    """Map z and c to p(clip given z, c): a gist and streams (Vondrick et al., NIPS 2016)."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.clauses, self.grid = config.clauses, Grid.of(size)
        self.frames, self.pixel_std, self.has_gist = frames, config.pixel_std, config.gist
        self.gist_latent = config.latent // 2
        width, c = config.width, config.condition_of_clause
        inputs = config.latent + c
        if config.gist:
            layer = RGB + (config.clauses > 1)
            self.gist_code = nn.Sequential(MLP(self.gist_latent + c, width), nn.LeakyReLU(0.2))
            self.gist = generator(config, self.grid, layer)
            self.filter = Text2Filter(config.text.width, config.filters, config.text_filter)
            self.downsample = Downsampler(config.filters, config.channels, -(-size // 2))
            inputs = config.latent - self.gist_latent + c + self.downsample.features
        self.whole = nn.Sequential(MLP(inputs, width, width), nn.LeakyReLU(0.2))
        self.chunk = nn.Sequential(MLP(width + 2 * HARMONICS, width, width), nn.LeakyReLU(0.2))
        self.foreground = generator(config, self.grid, FRAMES_PER_CHUNK * (RGB + 1))
        self.background = generator(config, self.grid, RGB)

    def forward(self, z: Latents, c: Condition, times: Times | None = None) -> ClipByGist:
        """Return the clip at `times`, by default at those of the frames in training."""
        return ClipByGist(self, z, c, times)

    def to_current_resolution(self, clips: Clips) -> Clips:
        """Blur clips to the resolution that a progressively grown generator has reached."""
        if not isinstance(self.foreground, ProgressiveGenerator):
            return clips
        frames = clips.transpose(1, 2)  # [batch time rgb height width]
        fine = self.foreground.to_current_resolution(
            self.grid.pad(frames.flatten(0, 1))  # [(batch time) rgb height width]
        )
        fine = self.grid.crop(fine).unflatten(0, frames.shape[:2])  # [batch time rgb height width]
        return fine.transpose(1, 2)  # [batch rgb time height width]

    def gist_of(self, clips: Clips) -> Images:
        """Return the target of the gist: the first frame."""
        return clips[:, :, 0]

    def gist_image(self, z: Latents, c: Condition) -> Images:
        """Generate the gist: of several clauses' images a softmax takes each pixel from one."""
        latents = by_clause(z, self.clauses)[..., : self.gist_latent]
        own, rest = by_clause(c, self.clauses), others(c, self.clauses)
        codes = self.gist_code(torch.cat([latents, own, rest], 2))
        there = present(c, self.clauses)
        layers = self._drawn(self.gist, codes, there)
        if self.clauses == 1:
            return layers[:, 0]
        images, logits = layers.split((RGB, 1), 2)
        weights = _hidden(logits, there).softmax(1)
        return (weights * images).sum(1)  # [batch rgb height width]

    def streams(
        self, z: Latents, c: Condition, gist: Images | None, times: Times | None = None
    ) -> Streams:
        """Generate the foreground and the mask of each clause, and the background."""
        there = present(c, self.clauses)
        codes = self.whole(self._inputs(z, c, gist))  # [batch clause code]
        count = there.sum(1, keepdim=True)
        mean = (codes * there[..., None]).sum(1) / count  # [batch code]
        background = self.grid.crop(self.background(mean).float())
        foregrounds, logits = self._frames(codes, there, times).split((RGB, 1), 2)
        zero = torch.zeros_like(logits[:, :1])  # the background's
        masks = torch.cat([zero, _hidden(logits, there)], 1).softmax(1)[:, 1:]
        return foregrounds, masks, background

    def _drawn(self, network: nn.Module, codes: Tensor, there: Present) -> Tensor:
        """Generate maps from codes [batch clause *any code], 0 for a clause that is not there."""
        chosen = codes.flatten(0, 1)  # [(batch clause) *any code]
        draws_all = self.clauses == 1 or is_traced()  # in a graph also what has no weight
        if not draws_all:
            chosen = chosen[there.flatten()]  # [present *any code]
        codes = chosen.flatten(0, -2)  # [(present *any) code]
        maps = self.grid.crop(network(codes).float())
        maps = maps.unflatten(0, chosen.shape[:-1])  # [present *any channel height width]
        if not draws_all:
            every = maps.new_zeros(there.numel(), *maps.shape[1:])
            maps = every.index_put((there.flatten(),), maps)  # [(batch clause) *any ...]
        return maps.unflatten(0, there.shape)  # [batch clause *any channel height width]

    def _inputs(self, z: Latents, c: Condition, gist: Images | None) -> ByClause:
        latents, own = by_clause(z, self.clauses), by_clause(c, self.clauses)
        rest = others(c, self.clauses)
        if gist is None:
            return torch.cat([latents, own, rest], 2)
        images = gist.repeat_interleave(self.clauses, 0)  # [(batch clause) rgb height width]
        kernels = own.flatten(0, 1)  # [(batch clause) condition]
        filtered = self.downsample(self.filter(images, kernels))
        filtered = filtered.unflatten(0, own.shape[:2])  # [batch clause feature]
        return torch.cat([latents[..., self.gist_latent :], own, filtered, rest], 2)

    def _frames(
        self, codes: ByClause, there: Present, times: Times | None
    ) -> Float[Tensor, "batch clause channel time height width"]:
        """Generate foreground and mask logit of each clause at each time.

        Between two frames they are those of the one before, as it moves on, and of the one after,
        as it moves back: mixed in proportion.
        """
        chunks = torch.arange(float(chunks_of(self.frames)), device=codes.device)
        of_chunks = self._chunk_codes(codes, chunks)
        if times is None:
            drawn = self._drawn(self.foreground, of_chunks, there)
            each = join_chunks(drawn.flatten(0, 1), self.frames)  # of [(batch clause) ...]
            return each.unflatten(0, there.shape)  # [batch clause channel time height width]
        frame, share = times.floor(), times.frac()
        before = self._moved(of_chunks, there, times, frame)
        if not share.any():
            return before
        after = self._moved(of_chunks, there, times, frame + 1)
        return torch.lerp(before, after, share[:, None, None].expand_as(before))

    def _moved(
        self,
        codes: Float[Tensor, "batch clause chunk code"],
        there: Present,
        times: Times,
        frame: Times,
    ) -> Float[Tensor, "batch clause channel time height width"]:
        """Generate what each of these frames becomes at its time, as its chunk moves on or back.

        The code of a moved chunk lies between those of the training: an embedding of its time is
        arbitrary, since training never shows it.
        """
        number = frame % FRAMES_PER_CHUNK  # in its chunk
        chunks, chunk = ((times - number) / FRAMES_PER_CHUNK).unique(return_inverse=True)
        drawn = self._drawn(self.foreground, spline(codes, chunks, 2), there)
        drawn = drawn.unflatten(3, (FRAMES_PER_CHUNK, -1))  # [... chunk frame channel row column]
        return drawn[:, :, chunk, number.long()].movedim(2, 3)  # [... channel time row column]

    def _chunk_codes(
        self, codes: ByClause, chunks: Float[Tensor, " chunk"]
    ) -> Float[Tensor, "batch clause chunk code"]:
        """Return a code for each chunk, from the clause's code and an embedding of the time."""
        last = max(1, chunks_of(self.frames) - 1)
        angles = math.pi / last * chunks[:, None]
        angles = angles * torch.arange(1, HARMONICS + 1, device=codes.device)
        embedding = torch.cat([angles.sin(), angles.cos()], 1)
        embedding = embedding.expand(*codes.shape[:2], -1, -1)  # [batch clause chunk harmonic]
        codes = codes[:, :, None].expand(-1, -1, len(chunks), -1)  # [batch clause chunk code]
        return self.chunk(torch.cat([codes, embedding], 3))


def _hidden(logits: Tensor, there: Present) -> Tensor:
    """Return the logits of masks, those of clauses that are not there without any weight."""
    absent = ~there.view(*there.shape, *[1] * (logits.ndim - 2))  # [batch clause *1]
    return logits.masked_fill(absent, -math.inf)


class Focus(nn.Module):
    """Dim what a clause does not describe: a gate for each pixel, by the caption.

    The gate is 2 sigmoid(f(pixels) . q(c)), f a convolution and q a linear map, at initialisation
    1: one clause of several then reads a clip as an encoder for a single one does.
    """

    def __init__(self, condition: int, filters: int):
        super().__init__()
        self.features = nn.Conv2d(RGB, filters, 5, 1, 2)
        self.query = nn.Linear(condition, filters)

    def zero(self) -> None:
        """Set the query to 0, which leaves all gates open."""
        nn.init.zeros_(self.query.weight)

    def forward(
        self, frames: Float[Tensor, "batch time 3 height width"], own: ByClause
    ) -> Float[Tensor, "batch clause time 3 height width"]:
        features = self.features(frames.flatten(0, 1))  # [(batch time) filter height width]
        features = features.unflatten(0, frames.shape[:2])  # [batch time filter height width]
        query = self.query(own) / math.sqrt(features.shape[2])
        scores = torch.einsum("btfhw,bkf->bkthw", features, query)
        gate = 2 * torch.sigmoid(scores)[:, :, :, None]  # [batch clause time 1 height width]
        return (frames[:, None] + 1) * gate - 1


class Encoder(nn.Module):
    """Map evenly spaced frames of a clip, and c, to q(z given x, c)."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        self.seen_frames, self.clauses = config.seen_frames, config.clauses
        self.downsample = Downsampler(RGB * config.seen_frames, config.channels, size)
        self.focus = Focus(config.text.width, config.filters) if config.clauses > 1 else None
        inputs = self.downsample.features + config.condition_of_clause
        self.body = nn.Sequential(MLP(inputs, config.width), nn.LeakyReLU(0.2))
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, clips: Clips, c: Condition) -> Distribution:
        last = clips.shape[2] - 1
        seen = torch.linspace(0, last, self.seen_frames, device=clips.device)
        times = seen.round().long()  # a single one: frame 0
        own, rest = by_clause(c, self.clauses), others(c, self.clauses)
        frames = clips[:, :, times]
        if self.focus:
            focused = self.focus(frames.transpose(1, 2), own)  # [batch clause time rgb row column]
            frames = focused.transpose(2, 3).flatten(0, 1)  # [(batch clause) rgb time row column]
        features = self.downsample(frames.flatten(1, 2))  # [(batch clause) feature]
        features = features.unflatten(0, own.shape[:2])  # [batch clause feature]
        read = self.body(torch.cat([features, own, rest], 2))
        each = self.head(read.flatten(0, 1))  # of [(batch clause) code]
        return joined(each, self.clauses)


class CaptionPrior(nn.Module):
    """Map c to p(z given c), a diagonal Gaussian for each clause."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.clauses = config.clauses
        self.layers = MLP(config.condition_of_clause, config.width, 2 * config.latent)

    def forward(self, batch: int, c: Condition) -> Distribution:
        own, rest = by_clause(c, self.clauses), others(c, self.clauses)
        numbers = self.layers(torch.cat([own, rest], 2))  # [batch clause number]
        each = as_gaussian(numbers.flatten(0, 1))  # of [(batch clause) number]
        return joined(each, self.clauses)
