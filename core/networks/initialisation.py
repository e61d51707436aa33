"""Initialisation of deep networks, whose outputs depend on their inputs from the first step on."""

from torch import nn


def keep_variance(network: nn.Module, but: tuple[type[nn.Module], ...]) -> None:
    """Initialise weights so that each layer keeps the variance of its input (He et al., 2015).

    With torch's default, what is generated would depend on neither z nor c for thousands of steps.
    `but`: networks that initialise their own weights, which stay as they are.
    """
    if isinstance(network, but):
        return
    if isinstance(network, nn.Conv2d | nn.Conv3d | nn.Linear):
        nn.init.kaiming_normal_(network.weight, a=0.2)
        if network.bias is not None:
            nn.init.zeros_(network.bias)
    for child in network.children():
        keep_variance(child, but)
