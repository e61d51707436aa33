"""Configuration of a model of points and of its run: recipe, sizes of networks, labels."""

from pydantic import Field

from core.app.configuration import ModelConfig, RunConfig
from core.config import Strict
from core.recipe import Recipe
from core.ring import eight_gaussians as ring
from core.ring.eight_gaussians import MODES
from core.ring.settings import Couplings, with_bandwidths, with_flow


class DataSpec(Strict):
    """The specification of points: how many labels there are."""

    labels: int = MODES


class RingModel(ModelConfig):
    """A model of points: its recipe, what differs from it, the sizes of its networks.

    `latent`: size of z. `frequencies`: of the encoder's Fourier features. `bandwidths`: of the
    MMD's kernels, none for the default. `flow`: size of a flow, where the recipe has one.
    """

    latent: int = Field(default=ring.LATENT, gt=0)
    frequencies: int = Field(default=0, ge=0)
    bandwidths: tuple[float, ...] = ()
    flow: Couplings | None = None

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe with these games, weights, stabilisers, kernels and flows."""
        return with_flow(with_bandwidths(super().resolved_recipe, self.bandwidths), self.flow)


class RingRun(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    model: RingModel
    spec: DataSpec
