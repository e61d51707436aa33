"""Networks as they are sampled share their weights with the model's, which stay as they were."""

from torch import nn

from musegen.composition.steered import obeyed, steered
from musegen.densities.note_transformer import DensityConfig, NoteDensity
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.musegan import Decoder
from musegen.roll import Grid
from musegen.steering import UNSTEERED, Steering
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=1, pitches=12)


def test_networks_are_steered_while_others_use_them():
    density = NoteDensity(DensityConfig(width=16, layers=1, heads=2), GRID, LAKH, 2)
    decoder = Decoder(MuseGANConfig(channels=4), GRID, LAKH, 2)
    networks = nn.ModuleDict({"density": density, "decoder": decoder})
    assert obeyed(networks) == {"temperature", "binarisation"}
    found = steered(networks, Steering(temperature=0.25, binarisation="deterministic"))
    other, cold = found["decoder"], found["density"]
    assert isinstance(cold, NoteDensity) and isinstance(other, Decoder)
    assert (cold.config.temperature, density.config.temperature) == (0.25, 1.0)
    assert (other.sampled_as, decoder.sampled_as) == ("deterministic", None)
    assert all(a is b for a, b in zip(found.parameters(), networks.parameters(), strict=True))


def test_networks_that_nobody_steers_are_the_same():
    decoder = Decoder(MuseGANConfig(channels=4), GRID, LAKH, 2)
    assert steered(nn.ModuleDict({"decoder": decoder}), UNSTEERED)["decoder"] is decoder
