"""Networks that are sampled as a user steers them: at a temperature, with neurons of a kind."""

from copy import copy
from typing import Protocol, runtime_checkable

from torch import nn

from core.config import Strict
from core.theory.passes import Networks
from musegen.networks.musegan import Decoder
from musegen.steering import Steering


@runtime_checkable
class Configured(Protocol):
    """A network with settings, of which some are for sampling."""

    config: Strict


def obeyed(networks: Networks) -> frozenset[str]:
    """Return the settings of `Steering` that `steered` brings about."""
    temperature = {"temperature"} if _tempered(networks) else set[str]()
    return frozenset(temperature | ({"binarisation"} if _binary_decoder(networks) else set()))


def steered(networks: Networks, steering: Steering) -> Networks:
    """Return the networks as they are sampled: at a temperature and with binary neurons.

    They share their weights with these, which stay as they were for all others that use them.
    """
    found = dict(networks.items())
    if steering.temperature is not None:
        for name in _tempered(networks):
            found[name] = other = copy(networks[name])
            assert isinstance(other, Configured)
            other.config = other.config.model_copy(update={"temperature": steering.temperature})
    decoder = _binary_decoder(networks)
    if decoder and steering.binarisation:
        found["decoder"] = decoder = copy(decoder)
        decoder.sampled_as = steering.binarisation
    return nn.ModuleDict(found)


def _tempered(networks: Networks) -> list[str]:
    """Return the names of the networks that are sampled at a temperature."""
    return [
        name
        for name in ("density", "prior")
        if name in networks
        and isinstance(network := networks[name], Configured)
        and "temperature" in type(network.config).model_fields
    ]


def _binary_decoder(networks: Networks) -> Decoder | None:
    """Return the decoder with binary neurons, if there is one."""
    decoder = dict(networks.items()).get("decoder")
    return decoder if isinstance(decoder, Decoder) else None
