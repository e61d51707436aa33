"""One note as a graph: the sampler's notes, for the sampler's random numbers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from untrained import untrained

from core.densities.streams import Streams
from core.errors import UserError
from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.graphs.note_step import NoteStep, sampled
from musegen.model import DOMAIN, Model
from musegen.roll import Grid
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=40, pitches=17)
BARS = 10


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Collect the random numbers of sampled pieces, note by note as the graph takes them."""
    drawn: list[np.ndarray] = []
    following = Streams.next

    def next_numbers(streams: Streams) -> np.ndarray:
        drawn.append(following(streams).T)
        return drawn[-1].T

    monkeypatch.setattr(Streams, "next", next_numbers)
    return drawn


def density() -> LookbackDensity:
    """A density of random weights, far from uniform, whose pieces are not short."""
    torch.manual_seed(5)
    model = LookbackDensity(LookbackConfig(width=16), GRID, LAKH[:3], BARS)
    for table in (m.weight for m in model.modules() if isinstance(m, nn.Embedding)):
        nn.init.normal_(table, std=0.5)
    last = model.heads.advance.layers[2]
    assert isinstance(last, nn.Linear)
    last.bias.data[1:3] += 4
    return model.eval()


def stepped(model: LookbackDensity, steps: int, uniform: list[np.ndarray]) -> Tensor:
    """Return the notes of one piece, fed with these numbers until it ends."""
    step = NoteStep(model, steps)
    state, notes = step.beginning(1).values(), []
    with torch.no_grad():
        for numbers in uniform:
            note, ended, *state = step(torch.from_numpy(numbers), *state)
            if ended:
                break
            notes.append(note)
    assert ended
    return torch.cat(notes)


def without_lengths(notes: Tensor) -> list[list[int]]:
    return notes[:, [0, 1, 2, 4]].tolist()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_graph_makes_the_samplers_notes(seed: int, monkeypatch: pytest.MonkeyPatch):
    model, uniform = density(), recorded(monkeypatch)
    (expected,) = model.pieces([seed], BARS)
    assert len(expected) > 15
    found = stepped(model, BARS * GRID.steps_per_bar, uniform)
    assert without_lengths(found) == without_lengths(expected)
    assert (found[:, 3] >= expected[:, 3]).all(), "pieces are cut where notes overlap"


@pytest.mark.slow
def test_the_graph_makes_the_notes_of_shipped_weights(monkeypatch: pytest.MonkeyPatch):
    model, uniform = Model.load("lookback_rnn", "cpu").networks["density"], recorded(monkeypatch)
    assert isinstance(model, LookbackDensity)
    (expected,) = model.pieces([7], 2)
    found = stepped(model, 2 * model.layout.bar, uniform)
    assert without_lengths(found) == without_lengths(expected)


def test_a_state_of_zeros_is_the_beginning():
    step = NoteStep(density(), 40)
    assert all(not value.any() for value in step.beginning(3).values())


def test_a_nucleus_is_sampled_by_the_inverse_of_the_distribution_function():
    """The same as `categorical.sampled`: of 0.2, 0.5, 0.3 the nucleus of 0.7 is 0.5 and 0.3."""
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().expand(4, -1)
    uniform = torch.tensor([0.0, 0.62, 0.63, 0.99])
    assert sampled(logits, 1.0, torch.full((4, 1), 0.7), uniform).tolist() == [1, 1, 2, 2]


def test_a_transformer_is_refused():
    model = untrained(DOMAIN, "lookback_rnn", ["model.lookback.body=transformer"])
    with pytest.raises(UserError, match="a transformer's state grows"):
        model.graph()
