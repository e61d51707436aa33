"""Build the networks that a recipe names, for clips."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from core.densities.codebook import CodePrior
from core.densities.dequantisation import Dequantised, Levels
from core.densities.flow import Flow, realnvp
from core.densities.ratio import DensityRatio
from core.densities.spline import neural_spline
from core.errors import ConfigError
from core.networks.critics import JointCritic, LatentCritic
from core.networks.generators import DCGAN, StyleBased
from core.networks.heads import ConditionalGaussian, StandardNormal
from core.networks.hierarchy import NearZero
from core.networks.initialisation import keep_variance
from core.recipe import Recipe
from core.theory.passes import TEACHER, Networks
from core.theory.terms import Match
from videogen.networks.chunks import RGB
from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures, Critic, DetailCritic, PatchCritic, shift_clips
from videogen.networks.enlarger import Enlarger, Shrinker
from videogen.networks.gist import CaptionPrior, Decoder, Encoder, Focus
from videogen.networks.moments import CodeCritic, MomentDecoder, MomentEncoder, PathPrior
from videogen.networks.path import PathDecoder, PathEncoder, Towers
from videogen.networks.streams import StreamsDecoder
from videogen.networks.text import caption_encoder
from videogen.networks.text_filters import FilterCritic
from videogen.networks.translator import Translator

SELF_INITIALISED = (
    *(Flow, CodePrior, DensityRatio, NearZero),
    *(Translator, DCGAN, StyleBased, Enlarger),
)
"""Networks that initialise their own weights."""


DECODERS = {
    "gist": Decoder,
    "path": PathDecoder,
    "streams": StreamsDecoder,
    "moments": MomentDecoder,
    "enlarged": lambda config, size, frames: Enlarger(config),
}
ENCODERS = {
    "gist": Encoder,
    "path": PathEncoder,
    "streams": Encoder,
    "moments": MomentEncoder,
    "enlarged": lambda config, size, kind: Shrinker(config.factor),
}

FLOWS = {"realnvp": realnvp, "neural_spline": neural_spline}


def _prior(config: VideoConfig, frames: int, recipe: Recipe) -> nn.Module:
    """Return p(z given c): a Gaussian of the caption where a term trains it, otherwise N(0, I)."""
    latents = config.latents(frames)
    if config.decoder == "moments":
        return PathPrior(config, frames)
    if recipe.prior:
        prior = FLOWS[config.flow] if recipe.prior in FLOWS.values() else recipe.prior
        return prior(latents, config.condition)
    if not (recipe.learns_prior and config.captions):
        return StandardNormal(latents)
    if config.decoder == "gist":
        return CaptionPrior(config)
    return ConditionalGaussian(config.condition, latents, config.width)


def _condition(config: VideoConfig, words: int, critics: Mapping[str, nn.Module]) -> nn.Module:
    """Return what reads captions: the critics' own encoders, where these are given."""
    if critics:
        frames, clips = critics["critic_frames"], critics["critic_clips"]
        assert isinstance(frames, FilterCritic) and isinstance(clips, FilterCritic)
        if config.decoder != "path":
            return frames.caption
        return Towers(frames.caption, clips.caption)
    if config.decoder in ("path", "moments"):
        return Towers.of(config, words)
    return caption_encoder(config.text, words)


def _density(config: VideoConfig, size: int, frames: int, recipe: Recipe) -> nn.Module:
    """Return p(x given c) of clips of 8-bit pixels, by a flow over maps in time and space."""
    assert recipe.map_density
    shape = (RGB, frames, size, size)
    flow = recipe.map_density(shape, config.condition, config.channels)
    return Dequantised(flow, Levels(256, -1.0, 1.0))


def _critics(
    config: VideoConfig, size: int, frames: int, words: int, recipe: Recipe
) -> dict[str, Callable[[], nn.Module]]:
    """Return what builds each critic, by its name."""
    latents = config.latents(frames)
    # a game of weight 0 is measured too
    beside = any(isinstance(term, Match) and term.space == "xc" for term in recipe.terms)

    def critic(words: int | None = None) -> nn.Module:
        if recipe.patches:
            return PatchCritic(config, words)
        return Critic(config, size, frames, words)

    def filter_critic(axes: int) -> FilterCritic:
        return FilterCritic(config, axes, size, frames, words if beside else None)

    return {
        "critic_frames": lambda: filter_critic(2),
        "critic_clips": lambda: filter_critic(3),
        "critic_prior": lambda: CodeCritic(config, frames, None),
        "critic_prior_c": lambda: CodeCritic(config, frames, words),
        "critic_x": critic,
        "critic_patches": lambda: PatchCritic(config),
        "critic_details": lambda: DetailCritic(config),
        "critic_xc": lambda: critic(words),
        "critic_xz": lambda: JointCritic(
            ClipFeatures(config, size, frames),
            config.width,
            latents,
            shift_clips,
            config.width,
        ),
        "critic_z": lambda: LatentCritic(latents),
    }


def _initialise(networks: Networks) -> None:
    """Set initial weights, and the memory format of those that have no volumes."""
    keep_variance(networks, SELF_INITIALISED)
    for network in networks.modules():
        if isinstance(network, Focus):
            network.zero()
    for network in networks.values():
        if all(p.ndim < 5 for p in network.parameters()):  # volumes have no such format
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU


def build(config: VideoConfig, size: int, frames: int, words: int, recipe: Recipe) -> Networks:
    """Build the networks of a recipe for clips of `frames` frames of `size` x `size` pixels.

    `words`: size of the captions' vocabulary.
    """
    if config.decoder == "enlarged" and size % config.factor:
        factors = ", ".join(str(n) for n in range(2, 9) if size % n == 0) or "none"
        raise ConfigError(
            f"clips of {size} pixels are not {config.factor} times as large as whole pixels: "
            f"model.video.factor can be {factors}"
        )
    latents = config.latents(frames)

    def decoder() -> nn.Module:
        return DECODERS[config.decoder](config, size, frames)

    builders: dict[str, Callable[[], nn.Module]] = {
        "encoder": lambda: ENCODERS[config.decoder](config, size, recipe.posterior),
        "decoder": decoder,
        TEACHER: decoder,
        "prior": lambda: _prior(config, frames, recipe),
        "ratio": lambda: DensityRatio(latents, config.condition, config.width),
        "density": lambda: _density(config, size, frames, recipe),
        "condition": lambda: _condition(config, words, read),
        **_critics(config, size, frames, words, recipe),
    }
    if recipe.other:  # z is a clip of the other collection
        builders |= dict.fromkeys(("encoder", "decoder"), lambda: Translator(config))
        builders["critic_z"] = builders["critic_x"]
    readers = ("critic_frames", "critic_clips") if recipe.critics_read else ()
    read = {name: builders[name]() for name in readers}
    built = Networks(
        {name: read[name] if name in read else builders[name]() for name in recipe.networks}
    )
    _initialise(built)
    return built
