"""The streams of the phrase encoder: each reaches the features, at the level of its size."""

import pytest
import torch

from musegen.networks.multiscale import Merge
from musegen.networks.phrase_encoder import PhraseEncoder
from musegen.networks.states import to_states
from musegen.roll import Grid

GRIDS = [
    Grid(steps_per_beat=3, beats_per_bar=2, lowest_pitch=30, pitches=26),
    Grid(steps_per_beat=6, beats_per_bar=1, lowest_pitch=30, pitches=26),  # a bar is one beat
    Grid(steps_per_beat=1, beats_per_bar=6, lowest_pitch=30, pitches=26),  # a beat is one step
]


def alone(grid: Grid, stream: str) -> PhraseEncoder:
    """A phrase encoder of two tracks to which only one stream is connected."""
    torch.manual_seed(3)
    encoder = PhraseEncoder(1, 2, grid, bars=2, channels=4)
    widths = {"onsets": 2 * 2, "harmony": 2 * 12 + 2, "counts": 2 * 7}
    levels = {"onsets": 0, "harmony": encoder.beat_level, "counts": len(encoder.levels)}
    merges = [*encoder.levels, encoder.phrase]
    for number, merge in enumerate(merges):
        assert isinstance(merge, Merge)
        by_position = merge.linear.weight.data[0].unflatten(0, (merge.factor, -1))
        joining = [name for name, level in levels.items() if level == number]
        channels = by_position.shape[1] - sum(widths[name] for name in joining)
        if number <= levels[stream]:
            by_position[:, :channels] = 0
        for name in joining:
            end = channels + widths[name]
            if name != stream:
                by_position[:, channels:end] = 0
            channels = end
        assert channels == by_position.shape[1]
    return encoder


def phrase(*notes: tuple[int, int, int]) -> torch.Tensor:
    """x of onsets (track, step, pitch) in two bars of six steps."""
    cells = torch.zeros(1, 2, 12, 26, dtype=torch.uint8)
    for note in notes:
        cells[(0, *note)] = 2
    return to_states(cells.unflatten(2, (2, 6)))


ONE = ((0, 1, 2), (1, 1, 6), (1, 7, 6))


@pytest.mark.parametrize("grid", GRIDS, ids=["3x2", "6x1", "1x6"])
@pytest.mark.parametrize(
    ("stream", "same", "other"),
    [
        # other pitches at the same steps; another step
        ("onsets", ((0, 1, 9), (1, 1, 3), (1, 7, 1)), ((0, 2, 2), (1, 1, 6), (1, 7, 6))),
        # another octave; another pitch class
        ("harmony", ((0, 1, 14), (1, 1, 18), (1, 7, 18)), ((0, 1, 2), (1, 1, 7), (1, 7, 6))),
        # the same counts on other pitches; one note more
        ("counts", ((0, 1, 9), (1, 1, 3), (1, 7, 1)), (*ONE, (1, 9, 6))),
    ],
)
def test_each_stream_reaches_the_features(grid: Grid, stream: str, same: tuple, other: tuple):
    encoder = alone(grid, stream)
    features = [encoder(phrase(*notes)) for notes in (ONE, same, other)]
    torch.testing.assert_close(features[1], features[0])
    assert not torch.allclose(features[2], features[0])


def test_cells_reach_the_features():
    """Onsets, chroma and counts are the same an octave higher: only the cells differ."""
    torch.manual_seed(3)
    encoder = PhraseEncoder(1, 2, GRIDS[0], bars=2, channels=4)
    octave_higher = ((0, 1, 14), (1, 1, 18), (1, 7, 18))
    assert not torch.allclose(encoder(phrase(*ONE)), encoder(phrase(*octave_higher)))
