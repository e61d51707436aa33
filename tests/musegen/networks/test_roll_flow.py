"""A flow over rolls: its maps by hand, legal samples, pieces of any length."""

import pytest
import torch

from core.densities.map_flow import glow_maps, realnvp_maps
from core.errors import ConfigError
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.roll_flow import roll_flow
from musegen.networks.states import to_cells, to_states
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS

BARS, GRID = 3, Grid(steps_per_beat=2, beats_per_bar=2, pitches=6)
TRACKS = TRACK_LISTS["lakh"][:2]  # drums, then an instrument that holds
CONFIG = MuseGANConfig(channels=4)


def density(flow=realnvp_maps):
    torch.manual_seed(0)
    return roll_flow(CONFIG, GRID, TRACKS, BARS, flow).eval()


def test_states_are_the_channels_and_the_steps_of_all_bars_one_axis(monkeypatch):
    """(track 1, sounding) is channel 2, and step 3 of bar 2 is position 11."""
    assert [track.is_drum for track in TRACKS] == [True, False]
    seen = []
    built = density()
    forward = built.flow.bijection.forward
    monkeypatch.setattr(
        built.flow.bijection, "forward", lambda y, c=None: (seen.append(y), forward(y, c))[1]
    )
    x = torch.zeros(1, 2, 2, BARS, 4, 6)
    x[0, 1, 0, 2, 3, 5] = 1
    built(1).log_prob(x)
    assert seen[0].shape == (1, 4, 12, 6)
    assert (seen[0] > 0).nonzero().tolist() == [[0, 2, 11, 5]]  # a logit of 1/2 is 0


@pytest.mark.parametrize("flow", [realnvp_maps, glow_maps])
def test_samples_are_legal_rolls_and_hits_of_drums_have_no_length(flow):
    x = density(flow)(5).rsample()
    assert x.shape == (5, 2, 2, BARS, 4, 6)
    assert torch.equal(to_states(to_cells(x)), x)
    sounding, onset = x.unbind(2)
    assert torch.equal(sounding[:, 0], onset[:, 0])
    assert (sounding[:, 1] > onset[:, 1]).any()
    assert not (onset > sounding).any()


def test_pieces_are_phrases_one_after_the_other():
    built = density()
    torch.manual_seed(1)
    piece = built(2).sample(7)
    torch.manual_seed(1)
    phrases = [built(2).rsample() for _ in range(3)]
    assert torch.equal(piece, torch.cat(phrases, 3)[:, :, :, :7])
    assert not torch.equal(phrases[0], phrases[1])


def test_pitches_that_cannot_be_halved_are_refused_with_a_cure():
    odd = GRID.replace(pitches=7)
    with pytest.raises(ConfigError, match="12 x 7 positions: prepare the data with even"):
        roll_flow(CONFIG, odd, TRACKS, BARS, glow_maps)


def test_the_width_of_couplings_is_that_of_the_configuration():
    for channels in (4, 9):
        built = roll_flow(CONFIG.replace(channels=channels), GRID, TRACKS, BARS, glow_maps)
        widths = {len(p) for n, p in built.named_parameters() if n.endswith("second.bias")}
        assert widths == {channels}
