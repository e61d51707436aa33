"""MuseGAN over bar latents: an autoencoder of bars, and the game over what it makes of pieces.

The union of autoencoder and GAN (Achlioptas et al., ICML 2018: the latent GAN) with the wirings of
MuseGAN (Dong, Hsiao, Yang and Yang, AAAI 2018). All parts train at once, each by its own terms.
"""

from collections.abc import Sequence

from core.theory.passes import Networks
from musegen.bar_latents.autoencoder import BarDecoder, BarEncoder, BarLatentsConfig
from musegen.bar_latents.critic import BarLatentCritic
from musegen.bar_latents.prior import LatentPrior
from musegen.roll import Grid
from musegen.tracks import Track


def build_latent(
    config: BarLatentsConfig, grid: Grid, tracks: Sequence[Track], bars: int
) -> Networks:
    """Build the networks of MuseGAN over bar latents, by the theory's names."""
    return Networks(
        {
            "encoder": BarEncoder(config, grid, tracks),
            "decoder": BarDecoder(config, grid, tracks),
            "prior": LatentPrior(config, tracks, bars),
            "critic_prior": BarLatentCritic(config, tracks, grid, bars),
        }
    )
