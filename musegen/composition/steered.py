"""Networks that are sampled as a user steers them: at a temperature, with neurons of a kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

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


@contextmanager
def steered(networks: Networks, steering: Steering) -> Iterator[None]:
    """Sample at a temperature and with binary neurons as steered, within."""
    own = [(network, network.config) for network in _tempered(networks)]
    decoder, usual = _binary_decoder(networks), None
    for network, config in own:
        if steering.temperature is not None:
            network.config = config.model_copy(update={"temperature": steering.temperature})
    if decoder and steering.binarisation:
        usual, decoder.sampled_as = decoder.sampled_as, steering.binarisation
    try:
        yield
    finally:
        for network, config in own:
            network.config = config
        if decoder and steering.binarisation:
            decoder.sampled_as = usual


def _tempered(networks: Networks) -> list[Configured]:
    """Return the networks that are sampled at a temperature."""
    sampled = [networks[name] for name in ("density", "prior") if name in networks]
    configured = [one for one in sampled if isinstance(one, Configured)]
    return [one for one in configured if "temperature" in type(one.config).model_fields]


def _binary_decoder(networks: Networks) -> Decoder | None:
    """Return the decoder with binary neurons, if there is one."""
    decoder = dict(networks.items()).get("decoder")
    return decoder if isinstance(decoder, Decoder) else None
