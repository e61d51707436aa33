"""Terms that a user writes: whatever fulfils `Term` trains, on the ring and in both domains."""

from dataclasses import dataclass, replace

import pytest
import torch

from core.papers import Paper
from core.recipe import Recipe
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.theory.passes import Passes
from core.theory.shapes import Losses
from core.theory.terms import Adjusted, Term, adjust, describe, needs_of
from core.training.step import Optimisation, TrainState, step

PAPER = Paper("nobody2026", "Nobody", "None", "Nowhere", 2026)


@dataclass(frozen=True)
class TotalVariation:
    """Sum of |differences| of generated x along its last axis."""

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 0.5
    name: str = "total_variation"
    networks: tuple[str, ...] = ("decoder", "prior")

    def __call__(self, passes: Passes) -> Losses:
        return passes.generated_x.diff(dim=-1).abs().flatten(1).sum(1)


def sparsity(passes: Passes) -> Losses:
    """Sum of |z|."""
    return passes.posterior_sample.abs().flatten(1).sum(1)


sparsity.name, sparsity.weight = "sparsity", 0.25  # type: ignore[attr-defined]  # a function as a term
sparsity.trains, sparsity.networks = ("encoder",), ("encoder",)  # type: ignore[attr-defined]


class Norm:
    """A class that is no dataclass, with a need of its own."""

    name, trains, weight = "norm", ("decoder",), 1.0
    networks, needs = ("decoder", "prior"), frozenset({"vectors"})

    def __call__(self, passes: Passes) -> Losses:
        return passes.generated_x.pow(2).flatten(1).sum(1)


FOREIGN: list[Term] = [TotalVariation(), sparsity, Norm()]  # type: ignore[list-item]


@pytest.mark.parametrize("term", FOREIGN, ids=lambda term: term.name)
def test_a_foreign_term_is_weighted_and_given_a_condition(term: Term):
    assert isinstance(term, Term)
    recipe = replace(RECIPES["vae"], terms=(*RECIPES["vae"].terms, term))
    changed = recipe.weighted({term.name: 0.125}).conditional().terms[-1]
    assert (changed.name, changed.weight) == (term.name, 0.125)
    assert changed.trains == (*term.trains, "condition")
    assert changed.networks == term.networks
    assert needs_of(changed) == needs_of(term)
    assert describe(changed) == f"0.125 {term.name}"


def test_an_unchanged_term_is_itself_and_a_dataclass_keeps_its_type():
    assert adjust(sparsity) is sparsity  # type: ignore[arg-type]
    assert isinstance(adjust(TotalVariation(), weight=2.0), TotalVariation)
    assert isinstance(adjust(Norm(), weight=2.0), Adjusted)


def test_what_a_foreign_term_needs_is_asked_of_the_domain():
    assert Recipe((Norm(),), PAPER).needs == {"vectors"}
    assert Recipe((TotalVariation(),), PAPER).needs == frozenset()


def gradients(*terms: Term, conditional: bool = False) -> dict[str, torch.Tensor]:
    """Gradients of the sum of all parameters of each network after one step on the ring."""
    recipe = Recipe(terms, PAPER)
    recipe = recipe.conditional() if conditional else recipe
    torch.manual_seed(1)
    networks = ring.networks(recipe)
    rate = Optimisation(learning_rate=1e-3)
    state = TrainState(networks, recipe, rate, rate)
    draw = ring.labelled_batch if conditional else ring.batch
    losses = step(state, draw, 0, seed=3)
    assert losses["skipped"] == 0
    assert losses.keys() >= {term.name for term in terms}
    return {
        name: torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        for name, network in networks.items()
        if any(p.grad is not None for p in network.parameters())
    }


@pytest.mark.parametrize("conditional", [False, True])
def test_foreign_terms_train_the_networks_that_they_name_on_the_ring(conditional: bool):
    trained = {"decoder", "encoder"} | ({"condition"} if conditional else set())
    assert set(gradients(*FOREIGN, conditional=conditional)) == trained


def test_the_weight_of_a_foreign_term_scales_its_gradient():
    plain, scaled = (gradients(adjust(FOREIGN[2], weight=w))["decoder"] for w in (1.0, 3.0))
    torch.testing.assert_close(scaled, 3 * plain)


def test_foreign_terms_train_in_music():
    from musegen.networks.bar_generators import MuseGANConfig
    from musegen.networks.musegan import build
    from musegen.roll import Grid
    from musegen.tracks import TRACK_LISTS

    recipe = replace(RECIPES["vae"], terms=(*RECIPES["vae"].terms, *FOREIGN))
    recipe = recipe.weighted({"sparsity": 0.5, "total_variation": 2.0})
    tiny = MuseGANConfig(latent=8, channels=4, critic_channels=4)
    grid = Grid(steps_per_beat=2, beats_per_bar=2, pitches=24)
    networks = build(tiny, grid, TRACK_LISTS["lakh"][:2], 2, recipe)
    x = (torch.rand(3, 2, 2, 2, grid.steps_per_bar, 24) < 0.3).float()
    _train(networks, recipe, ring.Batch(x))


def test_foreign_terms_train_in_video():
    from videogen.networks.build import build
    from videogen.networks.config import VideoConfig
    from videogen.networks.text import Captions, TextConfig

    recipe = replace(RECIPES["vae"], terms=(*RECIPES["vae"].terms, *FOREIGN)).conditional()
    tiny = VideoConfig(latent=6, channels=4, critic_channels=4, width=16, text=TextConfig(width=8))
    words = ("a", "blue", "circle", "red")
    networks = build(tiny, 16, 4, len(words), recipe)
    captions = Captions(words).encode(["a red circle", "a blue circle"])
    _train(networks, recipe, ring.Batch(torch.rand(2, 3, 4, 16, 16) * 2 - 1, captions))


def _train(networks, recipe: Recipe, batch: ring.Batch) -> None:
    """One step: finite losses by name, and every network that a foreign term names moves."""
    rate = Optimisation(learning_rate=1e-3)
    state = TrainState(networks, recipe, rate, rate)
    before = {key: value.clone() for key, value in networks.state_dict().items()}
    losses = step(state, lambda number: batch, 0, seed=3)
    assert losses["skipped"] == 0
    assert losses.keys() >= {term.name for term in FOREIGN}
    after = networks.state_dict()
    moved = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert moved >= {name for term in recipe.terms for name in term.trains}
