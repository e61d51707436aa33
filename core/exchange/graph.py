"""Graphs: what a model generates with, as one network of explicit inputs and outputs.

A domain hands over the network, an example of each input and the names of the axes; `export`
writes it. The first axis of every input and output is the batch, of any size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.theory.contracts import Reparametrised
from core.theory.distributions import Distribution
from core.theory.passes import Networks, read_condition
from core.theory.shapes import Latents, Samples

NOISE, CONDITION = "noise", "condition"
"""The inputs of a `Generator`."""


@dataclass(frozen=True)
class Graph:
    """A network with its inputs and outputs by name, and what a program needs to know of them.

    `inputs`: an example of each, of two samples. `axes`: the names of an input's or an output's
    axes, such as "batch latent". `facts`: further texts that are stored in the file.
    """

    network: nn.Module
    inputs: Mapping[str, Tensor]
    axes: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> list[str]:
        """Return the names of the outputs: those with axes that are no inputs."""
        return [name for name in self.axes if name not in self.inputs]


class Generator(nn.Module):
    """noise [batch noise] and a raw condition, if the model reads one -> x, without chance.

    The prior's noise is mapped to z, and decoded to what the decoder's distribution shows without
    chance; a density maps noise to x itself.
    """

    def __init__(self, networks: Networks, noise: int):
        super().__init__()
        names = ("condition", "prior", "decoder", "density")
        self.networks = Networks({name: networks[name] for name in names if name in networks})
        self.noise = noise

    def forward(self, noise: Latents, condition: Tensor | None = None) -> Samples:
        c = read_condition(self.networks, condition)
        if "density" in self.networks:
            return _from_noise(self.networks["density"](noise.shape[0], c), noise)
        z = _from_noise(self.networks["prior"](noise.shape[0], c), noise)
        return self.networks["decoder"](z, c).representative


def _from_noise(distribution: Distribution, noise: Latents) -> Samples:
    if not isinstance(distribution, Reparametrised):
        raise UserError(
            f"{type(distribution).__name__} is sampled one number after another, so that it is no "
            "graph: export its weights, with --format safetensors"
        )
    return distribution.from_noise(noise)
