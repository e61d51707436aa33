"""The translator between two collections."""

import torch

from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.states import to_cells, to_states
from musegen.networks.translator import Translator
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS

GRID = Grid(steps_per_beat=3, beats_per_bar=2, lowest_pitch=30, pitches=17)
LAKH = TRACK_LISTS["lakh"]


def phrases(batch: int) -> torch.Tensor:
    """Legal x with held notes; drums are hits."""
    sounding = torch.rand(batch, 5, 2, 6, 17) < 0.3
    onset = sounding & (torch.rand(sounding.shape) < 0.4)
    onset[:, 0] = sounding[:, 0]
    return to_states(to_cells(torch.stack([sounding, onset], 2).float()))


def test_an_untrained_translator_copies_and_a_trained_one_can_add_and_remove_notes():
    torch.manual_seed(0)
    translator = Translator(MuseGANConfig(latent=8, channels=4, critic_channels=4), GRID, LAKH)
    x = phrases(3)
    assert torch.equal(translator(x).mean, x)
    with torch.no_grad():
        translator.generators.pitches.bias.view(5, 12, 1, 2)[2, 4, :, 0] += 1.5  # pitches 4, 16
        translator.generators.uses.bias.view(5, 17)[3, 7] -= 1.5
    added, removed = (translator(x).mean[:, track, 1] - x[:, track, 1] for track in (2, 3))
    assert translator(x).mean[:, 2, 1][..., [4, 16]].eq(1).all()
    assert not added[..., [p for p in range(17) if p not in (4, 16)]].any()
    assert not translator(x).mean[:, 3, 1][..., 7].any()
    assert not removed[..., [p for p in range(17) if p != 7]].any()


def test_a_track_is_translated_given_the_other_tracks_of_its_bar():
    """The onsets of the drums in bar 1 have a gradient from the piano in bar 1, not in bar 0."""
    torch.manual_seed(0)
    translator = Translator(MuseGANConfig(latent=8, channels=4, critic_channels=4), GRID, LAKH)
    torch.nn.init.normal_(translator.generators.pitches.weight)
    x = phrases(1).requires_grad_()
    (gradient,) = torch.autograd.grad(translator(x).mean[0, 0, 1, 1].sum(), x)
    piano = gradient[0, 1].abs().sum((0, 2, 3))  # [bar]
    assert (piano > 0).tolist() == [False, True]
