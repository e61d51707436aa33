"""Quantities of the outline of a piece."""

import torch

from musegen.bar_latents.outline import (
    PARTS,
    Outlined,
    agreement,
    doubled,
    followed,
    of_piece,
    overlap,
    register,
    returning,
    unsure,
)

PITCHES = 24


def uses(*bars: tuple[int, ...]) -> torch.Tensor:
    """Return the uses of one track, in the first part of each bar these pitches."""
    used = torch.zeros(1, len(bars), 1, PARTS, PITCHES)
    for bar, pitches in enumerate(bars):
        used[0, bar, 0, 0, list(pitches)] = 1
    return used


def test_agreement_counts_intervals_and_no_transposition_changes_it():
    """C major over C: a root, a third and a fifth, each 1 / (1 * sqrt(3) + 1)."""
    root, chord = torch.zeros(12), torch.zeros(12)
    root[0] = chord[0] = chord[4] = chord[7] = 1
    expected = torch.zeros(12)
    expected[[0, 4, 7]] = 1 / (3**0.5 + 1)
    assert torch.allclose(agreement(root, chord), expected)
    assert torch.allclose(agreement(root.roll(5), chord.roll(5)), expected)
    assert not torch.allclose(agreement(root.roll(5), chord), expected)


def test_an_outline_is_divided_into_rhythm_and_pitches_and_folded_into_pitch_classes():
    """Pitches 3 and 15, in the second part, are one pitch class."""
    used = torch.zeros(1, 1, 1, PARTS, PITCHES)
    used[..., 1, [3, 15]] = 1
    seen = Outlined(torch.tensor([[[[0.2, 0.9]]]]), used)
    parts = Outlined.of(seen.joined, steps=2)
    assert torch.equal(parts.rhythm, seen.rhythm) and torch.equal(parts.uses, used)
    assert seen.chroma.nonzero().tolist() == [[0, 0, 0, 1, 3]]


def test_a_pitch_class_is_doubled_where_another_track_sounds_it():
    """The bass's C and E against a piano's C and a silent organ: 1/2, 1 and nothing."""
    chroma = torch.zeros(1, 1, 3, 1, 12)
    chroma[0, 0, 0, 0, [0, 4]] = 1
    chroma[0, 0, 1, 0, 0] = 1
    assert doubled(chroma)[0, 0, :, 0].tolist() == [0.5, 1.0, 0.0]


def test_two_bars_share_one_of_three_pitches():
    used = uses((2, 7), (7, 9), ())
    shared = overlap(used[:, [0, 0, 2]], used[:, [1, 0, 2]])
    assert torch.allclose(shared.flatten(), torch.tensor([1 / 3, 1.0, 0.0]))


def test_what_returns_is_compared_with_a_bar_so_many_bars_ago():
    used = uses((2, 7), (4,), (2, 7), (7,))
    assert returning(used, 2).flatten().tolist() == [0.0, 0.0, 1.0, 0.0]
    assert returning(used, 1).flatten().tolist() == [0.0, 0.0, 0.0, 0.5]


def test_a_register_is_how_many_pitches_where_and_how_far_apart():
    """Pitches 12 and 18 of 24: two, on average 3 above the middle, each 3 from there."""
    used = torch.zeros(1, 1, 2, PITCHES)
    used[0, 0, 0, [12, 18]] = 1
    found = register(used)[0, 0]
    assert torch.allclose(found[0], torch.tensor([2.0, 3.0, 3.0]) / 12)
    assert found[1].tolist() == [0.0, 0.0, 0.0]


def test_a_piece_has_one_register_and_a_kit_that_stays_sounds_in_every_bar():
    """Pitch 0 sounds in three of three bars, 12 in one: in its bar (1 + 1/3) / 2; one is silent.

    Of the piece, 0 and 12 are two pitches, on average 6 below the middle, each 6 from there.
    """
    values = of_piece(uses((0,), (0, 12), (), (0,)))[0, :, 0]  # [bar value]
    assert torch.allclose(values[:, :3], torch.tensor([2.0, -6.0, 6.0]) / 12)
    assert torch.allclose(values[:, 3], torch.tensor([1.0, 2 / 3, 0.0, 1.0]))


def test_silence_has_finite_gradients():
    used = torch.zeros(1, 2, 2, PARTS, PITCHES, requires_grad=True)
    chroma = Outlined(torch.zeros(1, 2, 2, 4), used).chroma
    values = (doubled(chroma), register(used.amax(3)), of_piece(used), returning(used, 1))
    (gradient,) = torch.autograd.grad(torch.stack([v.sum() for v in values]).sum(), used)
    assert 0 < gradient.abs().max() < 10


def test_one_half_is_most_unsure():
    rhythm = torch.tensor([[[[0.5, 1.0, 0.5]], [[0.0, 1.0, 0.75]]]])
    assert torch.allclose(unsure(rhythm).flatten(), torch.tensor([2.0, 0.75]) / 3)


def test_steps_are_followed_by_others_some_steps_later():
    """Struck are 0, 1 and 4 of 5: one pair is 1 apart, none 2, one 4; 8 is beyond the bar."""
    rhythm = torch.tensor([[[[1.0, 1.0, 0.0, 0.0, 1.0]]]])
    assert torch.allclose(followed(rhythm).flatten(), torch.tensor([0.2, 0.0, 0.2, 0.0]))
