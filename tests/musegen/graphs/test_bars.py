"""Bars as a graph: the same notes, by operations whose sizes do not depend on values."""

import pytest
import torch
from untrained import untrained

from musegen.graphs.bars import BarsGraph, sounding
from musegen.model import DOMAIN as MUSIC
from musegen.model import Model
from musegen.networks.states import sustain


def test_what_sounds_is_what_is_sustained():
    onset = (torch.rand(2, 3, 4, 5, 6) < 0.2).float()
    hold = (torch.rand(2, 3, 4, 5, 6) < 0.6).float()
    assert torch.equal(sounding(onset, hold), sustain(onset, hold))


def test_the_graph_of_random_weights_makes_their_notes():
    """Forms have new bars, bars that return, and silent ones."""
    model = untrained(MUSIC, "latent_musegan")
    inputs = model.graph().examples(3)
    noise, form = inputs["noise"], inputs["form"]
    form[0, 0, -1, 0], form[1, 0, -1, 1] = -1, 1
    prior, decoder = model.networks["prior"], model.networks["decoder"]
    with torch.no_grad():
        x = BarsGraph(prior, decoder)(noise, form)
        own = decoder(prior(3, form).from_noise(noise)).representative
    assert x[:, :, 1].any()
    assert torch.equal(x, own)


@pytest.mark.slow
def test_the_graph_makes_the_models_notes():
    """They are those of the shipped weights, with silent bars and repeated ones, to the bit."""
    model = Model.load("latent_musegan", "cpu")
    inputs = model.graph().examples(2)
    noise, form = inputs["noise"], inputs["form"]
    prior, decoder = model.networks["prior"], model.networks["decoder"]
    with torch.no_grad():
        x = BarsGraph(prior, decoder)(noise, form)  # type: ignore[arg-type]
        own = decoder(prior(2, form).from_noise(noise)).representative
    assert x[:, :, 1].sum() > 100 and (form == -1).any()
    assert torch.equal(x, own)
