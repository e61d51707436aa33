"""The networks of any recipe, for clips."""

from collections.abc import Callable

import torch
from torch import nn

from core.densities.codebook import CodePrior
from core.densities.flow import Flow
from core.networks.critics import JointCritic, LatentCritic
from core.networks.generators import DCGAN, StyleBased
from core.recipes import Recipe
from core.theory.passes import Networks
from videogen.networks.critic import ClipFeatures, Critic, moved
from videogen.networks.gist import CaptionPrior, Decoder, Encoder
from videogen.networks.sampling import VideoConfig
from videogen.networks.text import CaptionEncoder
from videogen.networks.translator import Translator

SELF_INITIALISED = (Flow, CodePrior, Translator, DCGAN, StyleBased)
"""Parts that know how to begin."""


def _keep_variance(part: nn.Module) -> None:
    """Weights with which what enters a network leaves it with its variance (He et al., 2015).

    Without it a clip would follow neither z nor c for the first thousands of steps.
    """
    if isinstance(part, SELF_INITIALISED):
        return
    if isinstance(part, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(part.weight, a=0.2)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
    for inner in part.children():
        _keep_variance(inner)


def build(config: VideoConfig, size: int, frames: int, words: int, recipe: Recipe) -> Networks:
    """The networks of a recipe, for clips of this size and captions of so many known words."""
    builders: dict[str, Callable[[], nn.Module]] = {
        "encoder": lambda: Encoder(config, size, recipe.posterior),
        "decoder": lambda: Decoder(config, size, frames),
        "prior": lambda: (
            recipe.prior(config.latent, config.text.width)
            if recipe.prior
            else CaptionPrior(config)
        ),
        "condition": lambda: CaptionEncoder(config.text, words),
        "critic_x": lambda: Critic(config, size, frames),
        "critic_xc": lambda: Critic(config, size, frames, words),
        "critic_xz": lambda: JointCritic(
            ClipFeatures(config, size, frames), config.width, config.latent, moved, config.width
        ),
        "critic_z": lambda: LatentCritic(config.latent),
    }
    if recipe.other:  # z is a clip too
        builders |= dict.fromkeys(("encoder", "decoder"), lambda: Translator(config))
        builders["critic_z"] = builders["critic_x"]
    built = Networks({name: builders[name]() for name in recipe.networks})
    _keep_variance(built)
    return built.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU
