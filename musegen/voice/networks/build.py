"""Build the networks that a recipe names, for notes."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from core.densities.codebook import CodePrior
from core.densities.flow import Flow
from core.networks.critics import JointCritic, LatentCritic
from core.networks.generators import StyleBased
from core.networks.heads import StandardNormal
from core.networks.hierarchy import NearZero
from core.networks.initialisation import keep_variance
from core.recipe import Recipe
from core.theory.distributions import Distribution
from core.theory.passes import Networks
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.networks.critic import NoteCritic, NoteFeatures, shift_notes
from musegen.voice.networks.decoder import HarmonicDecoder, MapDecoder
from musegen.voice.networks.encoder import NoteEncoder
from musegen.voice.networks.harmonics import PitchReader
from musegen.voice.spectrogram import Spectrogram

DECODERS = {"harmonics": HarmonicDecoder, "maps": MapDecoder}
SELF_INITIALISED = (Flow, CodePrior, NearZero, StyleBased)
"""Networks that initialise their own weights."""


class TimbrePrior(nn.Module):
    """(batch, c) -> p(z), whatever the pitch: a timbre is of an instrument, not of a note."""

    def __init__(self, inside: nn.Module):
        super().__init__()
        self.inside = inside

    def forward(
        self, batch: int, c: Float[Tensor, "batch condition"] | None = None
    ) -> Distribution:
        return self.inside(batch, None)


def build(
    config: VoiceConfig, spectrogram: Spectrogram, lowest: int, pitches: int, recipe: Recipe
) -> Networks:
    """Build the networks of a recipe for notes of so many pitches from the lowest on."""
    builders: dict[str, Callable[[], nn.Module]] = {
        "encoder": lambda: NoteEncoder(config, spectrogram, recipe.posterior),
        "decoder": lambda: DECODERS[config.decoder](config, spectrogram),
        "prior": lambda: _prior(config, recipe),
        "condition": lambda: PitchReader(lowest, pitches, config.pitch),
        "critic_x": lambda: NoteCritic(config, spectrogram, pitches),
        "critic_xc": lambda: NoteCritic(config, spectrogram, pitches),
        "critic_xz": lambda: JointCritic(
            NoteFeatures(config, spectrogram),
            config.width,
            config.latent,
            shift_notes,
            config.width,
        ),
        "critic_z": lambda: LatentCritic(config.latent, config.width),
    }
    built = Networks({name: builders[name]() for name in recipe.networks})
    keep_variance(built, SELF_INITIALISED)
    for network in built.modules():
        if isinstance(network, HarmonicDecoder):
            network.level_out()
    return built


def _prior(config: VoiceConfig, recipe: Recipe) -> nn.Module:
    inside = recipe.prior(config.latent, 0) if recipe.prior else StandardNormal(config.latent)
    return TimbrePrior(inside)
