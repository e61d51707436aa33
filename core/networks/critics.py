"""Critics of latents and of pairs, and what stabilises any critic: minibatch discrimination and
spectral normalisation."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from core.networks.heads import MLP
from core.theory.contracts import (
    Augmenter,
    Critic,
    FeatureExtractor,
    StatisticsCounter,
    require,
)
from core.theory.shapes import Features, Latents, Samples, Scores


class LatentCritic(nn.Module):
    """Scores points of a flat latent space."""

    def __init__(self, latent: int, width: int = 256):
        super().__init__()
        self.layers, self.width = MLP(latent, width, width, 1), width

    def augment(self, z: Latents) -> Latents:
        """Return z unchanged: no augmentation keeps the prior of z."""
        return z

    def features(self, z: Latents) -> Features:
        """Return the last hidden layer."""
        return self.layers.hidden(z)

    def features_and_scores(self, z: Latents) -> tuple[Features, Scores]:
        features, scores = self.layers.hidden_and_output(z)
        return features, scores.squeeze(-1)

    def forward(self, z: Latents) -> Scores:
        return self.features_and_scores(z)[1]


class JointCritic(nn.Module):
    """Scores x jointly with z or c: `reader` maps x to features [batch n].

    `augment`: an augmentation of x, if any.
    """

    def __init__(
        self,
        reader: nn.Module,
        features: int,
        beside: int,
        augment: Callable[[Tensor], Tensor],
        width: int = 256,
    ):
        super().__init__()
        self.reader, self.augment = reader, augment
        self.layers, self.width = MLP(features + beside, width, width, 1), width

    def features(self, x: Samples, beside: Latents) -> Features:
        """Return the last hidden layer."""
        return self.layers.hidden(self._read(x, beside))

    def features_and_scores(self, x: Samples, beside: Latents) -> tuple[Features, Scores]:
        features, scores = self.layers.hidden_and_output(self._read(x, beside))
        return features, scores.squeeze(-1)

    def forward(self, x: Samples, beside: Latents) -> Scores:
        return self.features_and_scores(x, beside)[1]

    def _read(self, x: Samples, beside: Latents) -> Features:
        return torch.cat([self.reader(x).float(), beside], 1)


Matrices = Float[Tensor, "matrix row column"]


KERNEL = 5
"""Numbers by which a kernel compares two samples (Salimans et al.: 5 to 16)."""


class MinibatchDiscrimination(nn.Module):
    """A critic that sees each sample beside the others of its batch (section 3.2).

    o_k = sum over others of exp(-|M_k - M_k'|_1), M = features x T, joins what the last map of the
    critic reads. As that is linear, the score has a part of its own for it; scores of patches all
    have that of their sample.
    """

    def __init__(self, critic: nn.Module, kernels: int):
        super().__init__()
        self.inside = critic
        self.compare = nn.Linear(require(critic, Critic).width, kernels * KERNEL, bias=False)
        self.score = nn.Linear(kernels, 1, bias=False)

    def features(self, *point: Tensor) -> Float[Tensor, "batch feature"]:
        return require(self.inside, FeatureExtractor).features(*point)

    def features_and_scores(self, *point: Tensor) -> tuple[Features, Scores]:
        features, scores = require(self.inside, Critic).features_and_scores(*point)
        beside = self.score(self.closeness(features))
        return features, scores + beside.view(-1, *[1] * (scores.ndim - 1))  # [batch *patch]

    def augment(self, x: Tensor) -> Tensor:
        return require(self.inside, Augmenter).augment(x)

    def statistics(self, *point: Tensor) -> tuple[Tensor, ...]:
        return require(self.inside, StatisticsCounter).statistics(*point)

    def forward(self, *point: Tensor) -> Scores:
        return self.features_and_scores(*point)[1]

    def closeness(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch kernel"]:
        """Return the sum of exp(-L1 distance) to the other samples, for each kernel."""
        compared = self.compare(features).float()
        compared = compared.unflatten(1, (-1, KERNEL))  # [batch kernel number]
        apart = (compared[:, None] - compared[None]).abs().sum(3)
        return torch.exp(-apart).sum(1) - 1


TABLES = (nn.Embedding, nn.EmbeddingBag)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def normalise(critic: nn.Module) -> None:
    """Give each linear map, convolution and recurrent map of a critic norm 1 (Miyato et al. 2018).

    The maps of a recurrent layer are those from its input and from its state to all gates at once,
    for each layer and direction. Tables of embeddings stay as they are: a row is looked up, and
    no difference of inputs is multiplied by it.
    """
    for module in list(critic.modules()):
        if isinstance(module, nn.RNNBase):
            _normalise_recurrent(module)
        elif not isinstance(module, TABLES):
            _normalise_map(module)


def _normalise_map(layer: nn.Module) -> None:
    weight = getattr(layer, "weight", None)
    if isinstance(weight, nn.Parameter) and weight.ndim > 1:
        norm = SpectralNorm(weight, stacked=not isinstance(layer, LAYERS))
        parametrize.register_parametrization(layer, "weight", norm)


def _normalise_recurrent(layer: nn.RNNBase) -> None:
    names = [name for name, weight in layer.named_parameters() if weight.ndim > 1]
    for name in names:
        norm = SpectralNorm(getattr(layer, name), stacked=False)
        parametrize.register_parametrization(layer, name, norm)
    # torch keeps a list of the weights that it multiplies by: here they follow from the parameters
    del layer.__dict__["_flat_weights"]
    type(layer)._flat_weights = property(_flat_weights, _ignore)  # type: ignore[assignment]


def _flat_weights(layer: nn.RNNBase) -> list[Tensor]:
    return [getattr(layer, name) for name in layer._flat_weights_names]


def _ignore(layer: nn.RNNBase, weights: list[Tensor]) -> None:
    """Keep nothing: the weights are computed anew in each pass."""


class SpectralNorm(nn.Module):
    """weight / its largest singular value, which is followed by a power iteration in each step.

    The first axis of a weight counts outputs; a `stacked` one holds a matrix for each player in
    its last two axes.
    """

    left: Tensor

    def __init__(self, weight: Tensor, stacked: bool):
        super().__init__()
        self.stacked = stacked
        matrices = self._matrices(weight.detach())
        self.register_buffer("left", F.normalize(torch.randn(matrices.shape[:2]), dim=1))
        for _ in range(15):
            self._follow(matrices)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrices = self._matrices(weight)
            if self.training:
                self._follow(matrices.detach())
            right = F.normalize(torch.einsum("mrc,mr->mc", matrices.detach(), self.left), dim=1)
            norms = torch.einsum("mr,mrc,mc->m", self.left.clone(), matrices, right)
            return (matrices / norms[:, None, None]).view_as(weight)

    def _matrices(self, weight: Tensor) -> Matrices:
        if self.stacked:
            return weight.flatten(0, -3)  # [matrix row column]
        return weight.flatten(1)[None]  # [1 row column]

    @torch.no_grad()
    def _follow(self, matrices: Matrices) -> None:
        """Take one step of power iteration."""
        right = F.normalize(torch.einsum("mrc,mr->mc", matrices, self.left), dim=1)
        self.left.copy_(F.normalize(torch.einsum("mrc,mc->mr", matrices, right), dim=1))
