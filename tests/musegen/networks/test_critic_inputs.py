"""The inputs of a critic, against numbers counted by hand and the definitions of metrics."""

import pytest
import torch

from musegen.networks.critic import Critic
from musegen.networks.critic_inputs import (
    bar_counts,
    chroma,
    harmony,
    harmony_values,
    onset_counts,
    split_tracks,
)
from musegen.networks.phrase_encoder import PhraseEncoder
from musegen.networks.states import to_states
from musegen.roll import Grid

TRACKS, BARS, STEPS, PITCHES = 2, 2, 4, 14


def phrase() -> torch.Tensor:
    """Track 0: pitch 0 for three steps over the bar line, one hit of pitch 12. Track 1: silent
    in bar 0, then pitches 4 and 13 at once."""
    cells = torch.zeros(1, TRACKS, BARS, STEPS, PITCHES, dtype=torch.uint8)
    cells[0, 0, 0, 2:, 0] = torch.tensor([2, 1], dtype=torch.uint8)
    cells[0, 0, 1, 0, 0] = 1
    cells[0, 0, 0, 3, 12] = 2
    cells[0, 1, 1, 1:3, [4, 13]] = torch.tensor([[2, 2], [1, 1]], dtype=torch.uint8)
    return to_states(cells)


def test_octaves_are_folded_and_the_last_is_filled_with_silence():
    tracks = split_tracks(phrase(), groups=2)
    assert tracks.shape == (2, 1, 1, 2, BARS, STEPS, 2, 12)
    assert tracks[0, 0, 0, 1, 0, 3].nonzero().tolist() == [[1, 0]]


def test_onsets_and_sounding_cells_of_each_step():
    counts = onset_counts(split_tracks(phrase(), groups=1))[0, 0]
    assert counts[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [2, 1, 0, 0]]
    assert counts[1, 1].tolist() == [0, 0, 2, 2]


def test_chroma_adds_octaves_and_the_steps_of_a_beat():
    classes = chroma(split_tracks(phrase(), groups=1), steps_per_beat=2)[0, 0]
    assert classes[0, 0, 1, 0] == 3  # pitch 0 twice, pitch 12 once
    assert classes[1, 1].nonzero().tolist() == [[0, 1], [0, 4], [1, 1], [1, 4]]


def test_bar_counts_by_hand():
    counts = bar_counts(split_tracks(phrase(), groups=1))[0, 0].unflatten(1, (TRACKS, 7))
    assert counts[0, 0].tolist() == pytest.approx([1, 1 / 12, 2 / 4, 1 / 4, 2 / 4, 1 / 4, 3 / 16])
    assert counts[0, 1].tolist() == [0] * 7
    assert counts[1, 0].tolist() == pytest.approx([1, 1 / 12, 0, 0, 1 / 4, 0, 1 / 16])
    assert counts[1, 1].tolist() == pytest.approx([1, 2 / 12, 2 / 4, 0, 2 / 4, 2 / 4, 4 / 16])


def test_statistics_for_feature_matching_are_those_of_bars_and_of_beats():
    grid = Grid(steps_per_beat=2, beats_per_bar=2, pitches=PITCHES)
    critic = Critic(PhraseEncoder(1, TRACKS, grid, bars=BARS, channels=4))
    bars, beats = critic.statistics(phrase())
    tracks = split_tracks(phrase(), groups=1)
    assert torch.equal(bars, bar_counts(tracks)[0, 0])
    assert beats.shape == (BARS * 2, harmony_values(TRACKS))
    # of beat 1 the pitch class 0 of track 0: twice pitch 0, once pitch 12, over two steps
    assert beats[1, 0] == 3 / 2
    assert beats[2].nonzero()[:, 0].tolist()[:3] == [0, 12 + 1, 12 + 4]


def test_tonal_distance_of_a_pair_is_that_of_harte():
    cells = torch.zeros(1, 2, 1, 1, 12, dtype=torch.uint8)
    cells[0, 0, 0, 0, 0], cells[0, 1, 0, 0, 7] = 2, 2  # a fifth apart
    values = harmony(split_tracks(to_states(cells), groups=1), steps_per_beat=1)[0, 0, 0, 0]
    assert len(values) == harmony_values(2)
    distance, both = values[-2:].tolist()
    # each circle turns by 7 of its steps: fifths 30, minor thirds 90, major thirds 120 degrees
    assert distance == pytest.approx(2 - 3**0.5 + 2 + 0.25 * 3, rel=5e-3)
    assert both == 1


def test_a_pair_counts_in_proportion_to_how_long_both_sound():
    cells = torch.zeros(1, 2, 1, 4, 12, dtype=torch.uint8)
    cells[0, 0, 0, :3, 0] = 2  # three steps of the beat's four
    cells[0, 1, 0, :2, [0, 7]] = 2  # two, of two notes each: as much as sounds all the time
    values = harmony(split_tracks(to_states(cells), groups=1), steps_per_beat=4)[0, 0, 0, 0]
    assert values[-1] == 3 / 4
