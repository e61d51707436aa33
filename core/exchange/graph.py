"""Graphs: what a model generates with, as one network of explicit inputs and outputs.

A domain hands over the network, examples of its inputs and the names of all axes; `export` writes
it. The first axis of every input and output is the batch, of any size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.theory.contracts import Reparametrised
from core.theory.distributions import Distribution
from core.theory.passes import Networks, read_condition
from core.theory.shapes import Latents, Samples


@dataclass(frozen=True)
class Graph:
    """A network, examples of its inputs, and the names of its axes.

    `examples`: batch size -> the inputs by name, in order. `axes`: of each input, then of each
    output by name, such as "batch latent".
    """

    network: nn.Module
    examples: Callable[[int], Mapping[str, Tensor]]
    axes: Mapping[str, str]

    @property
    def inputs(self) -> list[str]:
        """Return the names of the inputs."""
        return list(self.examples(1))

    @property
    def outputs(self) -> list[str]:
        """Return the names of the outputs."""
        inputs = self.inputs
        return [name for name in self.axes if name not in inputs]


class Generator(nn.Module):
    """noise [batch noise], and a raw condition if the model reads one -> x, without chance.

    The prior maps noise to z, which is decoded to what the decoder's distribution shows without
    chance; a density maps noise to x itself.
    """

    def __init__(self, networks: Networks):
        super().__init__()
        names = ("condition", "prior", "decoder", "density")
        self.networks = Networks({name: networks[name] for name in names if name in networks})

    def forward(self, noise: Latents, condition: Tensor | None = None) -> Samples:
        c = read_condition(self.networks, condition)
        if "density" in self.networks:
            return from_noise(self.networks["density"](noise.shape[0], c), noise)
        z = from_noise(self.networks["prior"](noise.shape[0], c), noise)
        return self.networks["decoder"](z, c).representative


def generator(
    networks: Networks, conditions: Callable[[int], Tensor | None], axes: Mapping[str, str]
) -> Graph:
    """Return the graph of networks that map noise to x.

    `conditions`: batch size -> examples of raw conditions, None where no network reads any.
    `axes`: of `condition` and `x`. `UserError` where samples are no function of noise.
    """
    network = Generator(networks)
    first = conditions(1)
    size = _noise_size(network, first)

    def examples(batch: int) -> dict[str, Tensor]:
        c = conditions(batch)
        device = next(networks.parameters()).device
        noise = {"noise": torch.randn(batch, size, device=device)}
        return noise if c is None else {**noise, "condition": c}

    names = ("condition", "x") if first is not None else ("x",)
    return Graph(network, examples, {"noise": "batch noise", **{n: axes[n] for n in names}})


@torch.no_grad()
def _noise_size(network: Generator, condition: Tensor | None) -> int:
    """Return how many numbers of noise a sample needs."""
    networks = network.networks
    role = next((name for name in ("density", "prior") if name in networks), None)
    if role is None:
        raise UserError("a model without prior generates nothing of itself: export its weights")
    distribution = networks[role](1, read_condition(networks, condition))
    return reparametrised(distribution).rsample().shape[1]


def from_noise(distribution: Distribution, noise: Latents) -> Samples:
    """Return the sample of this noise; `UserError` where it is no function of noise."""
    return reparametrised(distribution).from_noise(noise)


def reparametrised(distribution: Distribution) -> Reparametrised:
    """Return a distribution whose samples are a function of noise; `UserError` for another."""
    if isinstance(distribution, Reparametrised):
        return distribution
    raise UserError(
        f"{type(distribution).__name__} is sampled by choices one after another, and is no graph "
        "of noise: export the weights, as .safetensors"
    )
