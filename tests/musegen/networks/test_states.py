"""Cells, states, and the distribution of held notes."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.theory.distributions import Bernoulli
from musegen.networks.states import GatedNotes, HeldNotes, sustain, to_cells, to_states, transposed


def cells_of(steps: list[int]) -> torch.Tensor:
    """One pitch of one track in one bar."""
    return torch.tensor(steps, dtype=torch.uint8).view(1, 1, 1, -1, 1)


def test_states_are_sounding_and_onset():
    x = to_states(cells_of([0, 2, 1, 2, 0]))
    assert x[0, 0, 0].flatten().tolist() == [0, 1, 1, 1, 0]
    assert x[0, 0, 1].flatten().tolist() == [0, 1, 0, 1, 0]


def test_sounding_after_silence_is_an_onset_and_onset_alone_sounds():
    x = torch.zeros(1, 1, 2, 1, 4, 1)
    x[0, 0, 0, 0, 1:3] = 1
    x[0, 0, 1, 0, 3] = 1
    assert to_cells(x).flatten().tolist() == [0, 2, 1, 2]


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0, 2]), min_size=12, max_size=12), st.integers(0, 2**31))
def test_legal_cells_survive_the_way_to_states_and_back(starts, seed):
    onset = torch.tensor(starts, dtype=torch.float32).view(1, 1, 2, 6, 1) / 2
    hold = torch.bernoulli(torch.full_like(onset, 0.7), generator=torch.manual_seed(seed))
    cells = to_cells(torch.stack([sustain(onset, hold), onset], 2))
    assert torch.equal(to_cells(to_states(cells)), cells)
    assert torch.equal(to_states(cells)[:, :, 0], sustain(onset, hold))


def test_a_note_sounds_while_it_is_held_over_bar_lines():
    onset = torch.tensor([0, 1, 0, 0, 0, 0, 1.0, 0]).view(1, 1, 2, 4, 1)
    hold = torch.tensor([1, 0, 1, 1, 1, 0, 1.0, 1]).view(1, 1, 2, 4, 1)
    assert sustain(onset, hold).flatten().tolist() == [0, 1, 1, 1, 1, 0, 1, 1]


def notes(onset: list[float], hold: list[float], sustained: float = 1.0) -> HeldNotes:
    """One pitch; the lists are probabilities of each step."""
    logits = [torch.logit(torch.tensor(p)).view(1, 1, 1, -1, 1) for p in (onset, hold)]
    return HeldNotes(Bernoulli(logits[0]), Bernoulli(logits[1]), torch.tensor([sustained]))


ONSET, HELD = [0.2, 0.1, 0.3], [0.9, 0.6, 0.25]


def test_probability_of_a_held_note_by_hand():
    x = to_states(cells_of([2, 1, 0]))
    by_hand = 0.2 * (0.9 * 0.6) * (0.7 * 0.75)
    assert notes(ONSET, HELD).log_prob(x).exp().item() == pytest.approx(by_hand, rel=1e-5)


def test_probabilities_of_all_legal_rolls_sum_to_one():
    legal = [c for c in itertools.product([0, 1, 2], repeat=3) if is_legal(c)]
    total = sum(notes(ONSET, HELD).log_prob(to_states(cells_of(list(c)))).exp() for c in legal)
    assert len(legal) == 13
    assert float(total) == pytest.approx(1, rel=1e-5)


def is_legal(cells: tuple[int, ...]) -> bool:
    return all(now != 1 or before != 0 for before, now in zip((0, *cells), cells, strict=False))


def test_the_mean_is_what_samples_average_to():
    torch.manual_seed(0)
    many = notes(ONSET, HELD)
    onset, hold = (n.logits.expand(20_000, -1, -1, -1, -1) for n in (many.onset, many.hold))
    repeated = HeldNotes(Bernoulli(onset), Bernoulli(hold), torch.ones(1))
    torch.testing.assert_close(repeated.rsample().mean(0), many.mean[0], atol=0.015, rtol=0)
    assert many.mean[0, 0, 0].flatten().tolist() == pytest.approx(
        [0.2, 0.1 + 0.9 * 0.6 * 0.2, 0.3 + 0.7 * 0.25 * 0.208]
    )


def test_a_drum_is_never_held():
    torch.manual_seed(0)
    x = notes(ONSET, [0.99] * 3, sustained=0.0).rsample()
    assert torch.equal(x[:, :, 0], x[:, :, 1])


def test_gradients_reach_both_neurons_through_the_binary_sample():
    torch.manual_seed(1)
    onset = torch.zeros(1, 1, 2, 3, 1, requires_grad=True)
    hold = torch.zeros(1, 1, 2, 3, 1, requires_grad=True)
    x = HeldNotes(Bernoulli(onset), Bernoulli(hold), torch.ones(1)).rsample()
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    x[:, :, 0].sum().backward()
    assert onset.grad is not None and hold.grad is not None
    assert onset.grad.abs().sum() > 0
    assert hold.grad.abs().sum() > 0


def gated(plays: float, uses: float, onset: float) -> GatedNotes:
    """One track, one bar, two steps, three pitches, each neuron with its probability."""

    def neurons(probability: float, *shape: int) -> Bernoulli:
        return Bernoulli(torch.logit(torch.full(shape, probability)))

    cells = (1, 1, 1, 2, 3)
    notes = HeldNotes(neurons(onset, *cells), neurons(0.25, *cells), torch.ones(1))
    return GatedNotes(neurons(plays, 1, 1, 1), neurons(uses, 1, 1, 1, 3), notes)


def test_a_gated_note_by_hand():
    """One held note: it plays, uses 1 of 3 pitches, starts once and is held once."""
    x = torch.zeros(1, 1, 2, 1, 2, 3)
    x[..., 0, :, :, 1] = 1
    x[..., 1, :, 0, 1] = 1
    probability = gated(0.8, 0.3, 0.4).log_prob(x).exp().item()
    assert probability == pytest.approx(0.8 * 0.3 * 0.7**2 * 0.4 * 0.6 * 0.25, rel=1e-5)


def test_a_silent_bar_is_one_decision():
    silent = torch.zeros(1, 1, 2, 1, 2, 3)
    assert gated(0.8, 0.3, 0.4).log_prob(silent).exp().item() == pytest.approx(0.2, rel=1e-5)


def test_what_does_not_play_is_silent():
    assert gated(1e-9, 0.999, 0.999).rsample().sum() == 0
    assert gated(0.9999999, 1e-9, 0.999).rsample().sum() == 0


def test_a_note_is_not_held_into_a_bar_whose_gate_is_closed():
    """Two bars of two steps; it starts in the first step, and the track plays in bar 0 alone."""

    def sure(*values: float) -> torch.Tensor:
        return 60.0 * torch.tensor(values) - 30

    onset, hold = (logits.view(1, 1, 2, 2, 1) for logits in (sure(1, 0, 0, 0), sure(1, 1, 1, 1)))
    notes = HeldNotes(Bernoulli(onset), Bernoulli(hold), torch.ones(1))
    plays = Bernoulli(sure(1, 0).view(1, 1, 2))
    uses = Bernoulli(sure(1, 1).view(1, 1, 2, 1))
    x = GatedNotes(plays, uses, notes).rsample()
    assert x[0, 0, 0].flatten().tolist() == [1, 1, 0, 0]
    assert notes.rsample()[0, 0, 0].flatten().tolist() == [1, 1, 1, 1]


def in_harmony(open_classes: list[float]) -> GatedNotes:
    """A drum track and two melodic ones, one bar of one step, fourteen pitches; all else sure."""

    def sure(*shape: int) -> Bernoulli:
        return Bernoulli(torch.full(shape, 30.0))

    cells = (1, 3, 1, 1, 14)
    notes = HeldNotes(sure(*cells), sure(*cells), torch.tensor([0.0, 1, 1]))
    harmony = Bernoulli(torch.logit(torch.tensor(open_classes)).view(1, 1, 12))
    return GatedNotes(sure(1, 3, 1), sure(1, 3, 1, 14), notes, harmony)


def test_melodic_tracks_keep_to_one_harmony_in_every_octave_and_drums_do_not():
    x = in_harmony([1e-9, 1 - 1e-7] + [1e-9] * 10).rsample()[0, :, 1, 0, 0]
    assert x[0].sum() == 14
    assert x[1].nonzero().flatten().tolist() == x[2].nonzero().flatten().tolist() == [1, 13]


def test_the_probability_of_a_harmony_is_that_of_its_classes():
    x = torch.zeros(1, 3, 2, 1, 1, 14)
    x[:, 0] = 1
    x[:, 1:, :, :, :, [1, 13]] = 1
    classes = [0.1, 0.7] + [0.05] * 10
    by_hand = 0.9 * 0.7 * 0.95**10
    assert in_harmony(classes).log_prob(x).exp().item() == pytest.approx(by_hand, rel=1e-5)


def test_a_transposed_note_beyond_the_range_moves_by_an_octave_and_drums_stay():
    """Pitches 1 and 22 of 24, two lower: 11 and 20; three higher: 4 and 13."""
    x = torch.zeros(2, 2, 2, 1, 1, 24)
    x[..., [1, 22]] = 1
    moved = transposed(x, torch.tensor([-2, 3]), torch.tensor([False, True]))
    drums, melodic = moved.unbind(1)
    assert torch.equal(drums, x[:, 0])
    pitches = [piece[1].flatten().nonzero().flatten().tolist() for piece in melodic]
    assert pitches == [[11, 20], [4, 13]]
