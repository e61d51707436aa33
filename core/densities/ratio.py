"""The ratio of two densities over z, by which a prior is resampled: see `Contrast`."""

from jaxtyping import Float
from torch import Tensor, nn

from core.densities.flow import ActNorm
from core.networks.heads import MLP
from core.theory.shapes import Features, Latents, Scores


class DensityRatio(nn.Module):
    """(z, c) -> r [batch], an estimate of log q(z given c) / p(z given c).

    Latents and conditions may be of any size: the means and deviations of the first batch are
    taken out. Each has a first map of its own, whose weights are as large as its inputs ask for;
    with one map for both, the many numbers of a condition hide the few of z at first.
    """

    def __init__(self, latent: int, condition: int, width: int):
        super().__init__()
        self.of_z = nn.ModuleList([ActNorm(latent), nn.Linear(latent, width)])
        self.of_c = nn.ModuleList([ActNorm(condition), nn.Linear(condition, width)])
        self.layers = nn.Sequential(nn.LeakyReLU(0.2), MLP(width, width, width, 1))

    def forward(self, z: Latents, c: Features) -> Scores:
        hidden = _mapped(self.of_z, z) + _mapped(self.of_c, c)
        return self.layers(hidden).squeeze(1).float()


def _mapped(
    layers: nn.ModuleList, inputs: Float[Tensor, "batch number"]
) -> Float[Tensor, "batch unit"]:
    norm, linear = layers
    return linear(norm(inputs)[0])
