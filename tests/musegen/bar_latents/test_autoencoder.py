"""The autoencoder of bars."""

import pytest
import torch
from random_pieces import CONFIG, GRID, SIZES, TRACKS, bars_of, random_piece

from musegen.bar_latents.autoencoder import BarDecoder, BarEncoder, normalised
from musegen.bar_latents.outline import PARTS, Outlined
from musegen.networks.states import to_cells
from musegen.roll import Grid


def encoder() -> BarEncoder:
    torch.manual_seed(1)
    return BarEncoder(CONFIG, GRID, TRACKS)


def test_each_part_of_the_latents_has_mean_0_and_variance_1_and_silence_is_0():
    z = bars_of(encoder()(random_piece(2, 3)).rsample())
    assert not z[:, 1].any()
    for part in z[:, 0].split(SIZES, -1):
        assert torch.allclose(part.mean(-1), torch.zeros(()), atol=1e-5)
        assert torch.allclose(part.var(-1, unbiased=False), torch.ones(()), atol=0.05)


def test_equal_rhythms_have_equal_latents_and_other_pitches_other_notes():
    x = random_piece(1, 3)
    x[:, :, :, 2] = x[:, :, :, 0].roll(1, -1)  # a semitone higher
    rhythm, notes, _ = bars_of(encoder()(x).rsample()).split(SIZES, -1)
    assert torch.allclose(rhythm[:, 0], rhythm[:, 2], atol=1e-6)
    assert (notes[:, 0] - notes[:, 2]).abs().amax(-1).min() > 1e-3


def test_the_touch_alone_knows_velocities():
    x = random_piece(1, 3)
    softer = x.clone()
    softer[:, :, 2] *= 0.5
    before, after = (bars_of(encoder()(one).rsample()).split(SIZES, -1) for one in (x, softer))
    changed = [(a[:, 0] - b[:, 0]).abs().max().item() > 1e-4 for a, b in zip(before, after)]  # noqa: B905
    assert changed == [False, False, True]


def test_a_track_is_encoded_alone():
    x, other = random_piece(1, 3), random_piece(1, 3, seed=5)
    other[:, 1] = x[:, 1]
    one, two = (bars_of(encoder()(part).rsample()) for part in (x, other))
    assert torch.equal(one[:, :, 1], two[:, :, 1])
    assert not torch.equal(one[:, :, 2], two[:, :, 2])


def test_noise_is_for_training_alone():
    torch.manual_seed(0)
    decoder = BarDecoder(CONFIG, GRID, TRACKS)
    z = encoder()(random_piece(2, 3)).rsample()
    rhythms = [decoder(z).logits.rhythm for _ in range(2)]
    assert not torch.equal(*rhythms)
    decoder.eval()
    rhythms = [decoder(z).logits.rhythm for _ in range(2)]
    assert torch.equal(*rhythms)
    longer = bars_of(z) * 3  # only the direction of latents counts
    assert torch.allclose(decoder(longer.flatten(1)).logits.rhythm, rhythms[0], atol=1e-4)


def test_the_outline_is_of_the_notes_that_are_decoded_and_silent_where_z_is():
    decoder = BarDecoder(CONFIG, GRID, TRACKS)
    z = encoder()(random_piece(2, 3)).rsample()
    rhythm, uses = Outlined.of(decoder.outline(z), GRID.steps_per_bar)  # without noise
    notes = decoder.eval()(z)
    assert not rhythm[:, 1].any() and not uses[:, 1].any()
    assert torch.allclose(rhythm[:, 0], notes.logits.rhythm[:, 0].sigmoid(), atol=1e-4)
    sounding = notes.representative[:, :, 0].unflatten(
        3, (PARTS, -1)
    )  # [batch track bar part ...]
    assert torch.equal(uses, sounding.amax(4).transpose(1, 2))


@pytest.mark.parametrize("steps_per_beat", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_it_learns_to_return_what_it_is_given(steps_per_beat):
    """Notes, holds and velocities of a few bars come back exactly, which no untrained one does."""
    grid = Grid(steps_per_beat=steps_per_beat, pitches=12)
    torch.manual_seed(0)
    shape = (4, len(TRACKS), 2, grid.steps_per_bar, 12)
    onset = torch.zeros(shape)
    pitch = torch.randint(0, 12, shape[:3])
    onset[..., 0, :] = torch.nn.functional.one_hot(pitch, 12)
    sounding = onset.clone()
    sounding[:, 1:, :, 1, :] = onset[:, 1:, :, 0, :]  # melodic notes last two steps
    loud = torch.where(pitch % 2 == 0, 90, 50)[..., None, None] / 127 * onset
    x = torch.stack([sounding, onset, loud], 2)
    config = CONFIG.replace(noise=0.1)
    parts = BarEncoder(config, grid, TRACKS), BarDecoder(config, grid, TRACKS)
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], 0.01)
    untrained = parts[1](parts[0](x).rsample()).representative
    for _ in range(150):
        loss = -parts[1](parts[0](x).rsample()).log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    returned = parts[1].eval()(parts[0](x).rsample()).representative
    assert not torch.equal(to_cells(untrained), to_cells(x))
    assert torch.equal(to_cells(returned), to_cells(x))
    assert torch.allclose(returned[:, :, 2], x[:, :, 2])


def test_normalising_twice_changes_nothing():
    z = torch.randn(3, CONFIG.size)
    once = normalised(z, SIZES)
    assert torch.allclose(normalised(once, SIZES), once, atol=1e-3)
