"""MuseGAN's networks in every wiring and on grids of every size."""

import pytest
import torch

from core.recipes import RECIPES, recipe
from core.theory.passes import Batch, Passes
from musegen.networks.bar_generators import MapGenerators, MuseGANConfig
from musegen.networks.multiscale import (
    Linear,
    divisions,
    join_places,
    level_channels,
    split_places,
)
from musegen.networks.musegan import Decoder, build
from musegen.presets import PRESETS
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS

LAKH = TRACK_LISTS["lakh"]
ODD = Grid(steps_per_beat=3, beats_per_bar=5, lowest_pitch=30, pitches=31)
TINY = MuseGANConfig(latent=8, channels=4, critic_channels=4)
WIRINGS = ["composer", "jamming", "hybrid"]
GRIDS = [
    Grid(steps_per_beat=4),
    Grid(steps_per_beat=12),
    Grid(steps_per_beat=24, beats_per_bar=3),
    ODD,
    Grid(steps_per_beat=7, beats_per_bar=1, pitches=1),
]


def rolls(batch: int, tracks: int, bars: int, grid: Grid) -> torch.Tensor:
    shape = (batch, tracks, 2, bars, grid.steps_per_bar, grid.pitches)
    return (torch.rand(shape) < 0.3).float()


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_any_grid_any_bars_any_tracks(wiring, grid):
    config = TINY.model_copy(update={"wiring": wiring})
    made = build(config, grid, LAKH[1:4], 3, recipe("vae_gan"))
    x = rolls(2, 3, 3, grid)
    passes = Passes(made, Batch(x))
    assert passes.generated_x.shape == x.shape
    assert passes.reconstruction.log_prob(x).shape == (2,)
    assert passes.score("critic_x", (x,)).shape == (2,)


PLAIN = [n for n, r in RECIPES.items() if not r.needs - {"statistics"}]


@pytest.mark.parametrize("name", PLAIN)
def test_every_recipe_runs_in_this_domain(name):
    made = build(TINY, ODD, LAKH, 2, recipe(name))
    passes = Passes(made, Batch(rolls(3, 5, 2, ODD)))
    for term in recipe(name).terms:
        assert term(passes).isfinite().all()


def test_a_bar_is_divided_into_beats_and_steps():
    grid = Grid(steps_per_beat=24)
    assert divisions(grid) == [2, 2, 2, 2, 2, 3]  # the 96 steps of the paper
    assert level_channels(grid, 128) == [1024, 1024, 1024, 1024, 768, 384, 128]


def test_split_places_is_the_inverse_of_join_places():
    x = torch.arange(24.0).view(1, 6, 4)
    assert join_places(x, 3)[0, 0].tolist() == list(range(12))
    assert torch.equal(split_places(join_places(x, 3), 3), x)


def test_each_player_has_a_linear_map_of_its_own():
    linear = Linear(2, 3, 1)
    linear.weight.data = torch.tensor([[[1.0], [2], [3]], [[10], [20], [30]]])
    linear.bias.data = torch.tensor([[[0.5]], [[0.25]]])
    x = torch.tensor([[[1.0, 0, 2]], [[1, 1, 0]]])
    assert linear(x).flatten().tolist() == [7.5, 30.25]


def gradient_reach(wiring: str) -> torch.Tensor:
    """[track of the sample, player's latents]: who moves whom."""
    config = TINY.model_copy(update={"wiring": wiring, "binarisation": "probability"})
    decoder = Decoder(config, ODD, LAKH[:3], 2)
    latent = torch.randn(1, decoder.wires.players, 2, 8)
    rows = []
    for track in range(3):
        moved = latent.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(decoder.generators(moved)[2][:, track].sum(), moved)
        rows.append(gradient.abs().sum((0, 2, 3)) > 0)
    return torch.stack(rows)


def test_a_composer_writes_all_tracks_and_a_player_one():
    assert gradient_reach("composer").tolist() == [[True]] * 3
    assert torch.equal(gradient_reach("hybrid"), torch.eye(3) > 0)


def test_jamming_scores_are_the_sum_of_a_critic_for_each_track():
    made = build(TINY.model_copy(update={"wiring": "jamming"}), ODD, LAKH, 2, recipe("wgan_gp"))
    critic = made["critic_x"]
    quiet, loud = torch.zeros(1, 5, 2, 2, 15, 31), rolls(1, 5, 2, ODD)
    alone = []
    for track in range(5):
        x = quiet.clone()
        x[:, track] = loud[:, track]
        alone.append(critic(x) - critic(quiet))
    torch.testing.assert_close(critic(loud) - critic(quiet), sum(alone), rtol=1e-3, atol=1e-4)


def test_another_given_track_changes_what_is_played_and_how_it_is_judged():
    torch.manual_seed(2)
    made = build(TINY.model_copy(update={"given": 1}), ODD, LAKH, 2, recipe("wgan_gp"))
    z, x = made["prior"](1).rsample(), rolls(1, 5, 2, ODD)
    one, other = rolls(1, 1, 2, ODD), rolls(1, 1, 2, ODD)
    assert (made["decoder"](z, one).mean != made["decoder"](z, other).mean).any()
    assert made["critic_x"](x, one) != made["critic_x"](x, other)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_captioned_and_knows_every_recipe(name):
    preset = PRESETS[name]

    def values(model):
        return preset.values(model, recipe(model))["train"]

    assert preset.caption and preset.paper and preset.expected and preset.cost
    assert values("wgan_gp") != values("vae")


@pytest.mark.parametrize("blocks", ["dcgan", "style"])
@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
def test_generators_can_be_made_of_blocks_of_any_domain(wiring, blocks):
    torch.manual_seed(0)
    config = MuseGANConfig(wiring=wiring, latent=8, channels=4, critic_channels=4, blocks=blocks)
    grid = Grid(steps_per_beat=4, beats_per_bar=3, pitches=20)  # bars of 12 x 20: halved once
    made = build(config, grid, LAKH, 2, recipe("gan"))
    assert isinstance(made["decoder"].generators, MapGenerators)
    passes = Passes(made, Batch(rolls(3, 5, 2, grid)))
    assert passes.generated_x.shape == (3, 5, 2, 2, 12, 20)
    assert set(passes.generated_x.unique().tolist()) <= {0.0, 1.0}
    passes.score("critic_x", (passes.generated_x,)).sum().backward()
    silent = [
        n for n, p in made["decoder"].named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert not [name for name in silent if name.startswith("generators")]


def test_blocks_of_any_domain_hear_no_given_tracks():
    with pytest.raises(ValueError, match="only blocks: paper"):
        MuseGANConfig(blocks="style", given=1)
