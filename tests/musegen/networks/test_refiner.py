"""The refiner and the two stages in which it trains."""

import pytest
import torch

from core.recipes import recipe
from core.theory.passes import Batch
from core.training.optimisation import Optimisation
from core.training.step import TrainState, step
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.musegan import Decoder, build
from musegen.networks.refiner import Refiner
from musegen.networks.states import GatedNotes, HeldNotes
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS

LAKH = TRACK_LISTS["lakh"]
GRID = Grid(steps_per_beat=5, beats_per_bar=2, lowest_pitch=30, pitches=31)
TINY = MuseGANConfig(
    latent=8, channels=4, critic_channels=4, refine_after_steps=3, binarisation="deterministic"
)
BARS, TRACKS = 2, 3


def learned(filters: int = 2, tracks: int = TRACKS) -> Refiner:
    """A refiner whose last convolutions are no longer 0."""
    refiner = Refiner(tracks, filters)
    for parameter in refiner.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return refiner


def probabilities(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, TRACKS, BARS, 10, 31, generator=generator)


def test_an_untrained_refiner_returns_the_log_odds_of_the_probabilities():
    onset, hold = Refiner(TRACKS, 4)(probabilities(1), probabilities(2))
    torch.testing.assert_close(torch.sigmoid(onset), probabilities(1).clamp(1e-3, 1 - 1e-3))
    torch.testing.assert_close(torch.sigmoid(hold), probabilities(2).clamp(1e-3, 1 - 1e-3))


def changed(state: int, track: int, bar: int) -> torch.Tensor:
    """Return where each output changes with one cell: [output track bar step pitch]."""
    torch.manual_seed(0)
    refiner, inputs = learned().double(), [probabilities(n).double() for n in (1, 2)]
    inputs[state].requires_grad_()
    outputs = torch.stack(refiner(*inputs), 0)[:, 0]
    others = [value.detach().clone() for value in inputs]
    others[state][0, track, bar, 5, 20] = 1 - others[state][0, track, bar, 5, 20]
    return (torch.stack(refiner(*others), 0)[:, 0] - outputs).abs() > 1e-9


@pytest.mark.parametrize("state", [0, 1])
def test_each_track_and_each_bar_is_refined_by_itself(state: int):
    """Onset and hold of a cell change both outputs of its own track and bar, and nothing else."""
    where = changed(state, track=1, bar=1)
    assert (
        where.flatten(3).any(3).tolist() == [[[False, False], [False, True], [False, False]]] * 2
    )


def test_tracks_have_two_units_of_their_own():
    torch.manual_seed(0)
    refiner, same = learned(), probabilities(3)[:, :1].expand(-1, TRACKS, -1, -1, -1)
    onset, _ = refiner(same, same)
    assert not torch.allclose(onset[:, 0], onset[:, 1])
    assert [len(list(units.children())) for units in refiner.tracks] == [2] * TRACKS


def decoder_of(kind: str = "deterministic", **changes: object) -> Decoder:
    torch.manual_seed(1)
    config = TINY.replace(binarisation=kind, **changes)
    return Decoder(config, GRID, LAKH[:TRACKS], BARS)


def test_before_the_second_stage_generators_give_probabilities_and_then_binary_neurons():
    decoder = decoder_of()
    z = torch.randn(2, decoder.wires.latent)
    decoder.set_stage(2)
    first = decoder(z)
    assert isinstance(first, GatedNotes)
    x = first.rsample()
    assert ((x > 0) & (x < 1)).any()
    assert torch.equal(x, first.rsample()), "nothing is sampled"
    decoder.set_stage(3)
    second = decoder(z)
    assert isinstance(second, HeldNotes)
    assert set(second.rsample().unique().tolist()) <= {0.0, 1.0}
    onset, hold = first.gated()
    assert torch.equal(second.rsample()[:, :, 1], (onset > 0.5).float()), "the hard threshold"
    torch.testing.assert_close(second.hold.mean, hold.clamp(1e-3, 1 - 1e-3))
    decoder.set_stage(0)
    assert isinstance(decoder(z), GatedNotes)


def test_stochastic_neurons_of_the_refiner_are_sampled():
    decoder = decoder_of("stochastic", refine_after_steps=0)
    decoder.set_stage(0)
    notes = decoder(torch.randn(1, decoder.wires.latent))
    assert not torch.equal(notes.rsample(), notes.rsample())
    mean = torch.stack([notes.rsample()[:, :, 1] for _ in range(400)]).mean(0)
    torch.testing.assert_close(mean, notes.onset.mean, atol=0.13, rtol=0)


def trained(steps: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], TrainState]:
    """Train for some steps; return the decoder's weights before the last one and after it."""
    torch.manual_seed(1)
    networks = build(TINY, GRID, LAKH[:TRACKS], BARS, recipe("wgan_gp").paced(1))
    rate = Optimisation(learning_rate=1e-2)
    state = TrainState(networks, recipe("wgan_gp").paced(1), rate, rate)

    def draw(number: int) -> Batch:
        torch.manual_seed(number)
        return Batch((torch.rand(2, TRACKS, 2, BARS, 10, 31) < 0.2).float())

    before: dict[str, torch.Tensor] = {}
    for number in range(steps):
        before = {n: p.detach().clone() for n, p in networks["decoder"].named_parameters()}
        step(state, draw, number, seed=0)
    return before, dict(networks["decoder"].named_parameters()), state


@pytest.mark.parametrize(("steps", "refines"), [(3, False), (4, True), (5, True)])
def test_generators_train_in_the_first_stage_and_the_refiner_in_the_second(steps, refines):
    before, after, state = trained(steps)
    moved = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert moved
    assert {name.startswith("refiner.") for name in moved} == {refines}
    assert bool(state.networks["decoder"].get_buffer("refines")) == refines
    assert bool(state.ema["decoder"].get_buffer("refines")) == refines, "samples are refined too"


def test_the_slope_grows_from_the_beginning_of_the_second_stage():
    decoder = decoder_of(slope=2.0, slope_growth=1.5, slope_steps=4)
    z = torch.randn(1, decoder.wires.latent)
    for number, slope in ((0, 2), (3, 2), (6, 2), (7, 3), (10, 3), (11, 4.5)):
        decoder.set_stage(number)
        assert decoder.slope == slope
    notes = decoder(z)
    assert (notes.onset.slope, notes.hold.slope) == (4.5, 4.5)
    before = notes.onset.logits
    decoder.set_stage(3)
    assert torch.equal(decoder(z).onset.logits, before), "what is refined does not depend on it"


def test_the_refiner_can_be_sampled_in_another_way_than_it_trains():
    decoder = decoder_of(refine_after_steps=0)
    decoder.set_stage(0)
    z = torch.randn(1, decoder.wires.latent)
    decoder.sampled_as = "stochastic"
    assert not torch.equal(decoder(z).rsample(), decoder(z).rsample())
    decoder.sampled_as = None
    assert torch.equal(decoder(z).rsample(), decoder(z).rsample())
