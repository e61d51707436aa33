"""MuseGAN's networks in every wiring and on grids of every size."""

import pytest
import torch

from core.recipes import RECIPES, recipe
from core.theory.distributions import Bernoulli
from core.theory.passes import Batch, Passes
from musegen.networks.bar_generators import MapGenerators, MuseGANConfig
from musegen.networks.critic import Critic
from musegen.networks.musegan import Decoder, build
from musegen.networks.states import GatedNotes
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
    networks = build(config, grid, LAKH[1:4], 3, recipe("vae_gan"))
    x = rolls(2, 3, 3, grid)
    passes = Passes(networks, Batch(x))
    assert passes.generated_x.shape == x.shape
    assert passes.reconstruction.log_prob(x).shape == (2,)
    assert passes.score("critic_x", (x,)).shape == (2,)


PLAIN = [n for n, r in RECIPES.items() if not r.needs - {"statistics"}]


@pytest.mark.parametrize("name", PLAIN)
def test_every_recipe_runs_in_this_domain(name):
    networks = build(TINY, ODD, LAKH, 2, recipe(name))
    passes = Passes(networks, Batch(rolls(3, 5, 2, ODD)))
    for term in recipe(name).terms:
        assert term(passes).isfinite().all()


def gradient_reach(wiring: str) -> torch.Tensor:
    """[track of the sample, player]: which players' latents have a gradient from which track."""
    config = TINY.model_copy(update={"wiring": wiring, "binarisation": "probability"})
    decoder = Decoder(config, ODD, LAKH[:3], 2)
    latent = torch.randn(1, decoder.wires.players, 2, 8)
    rows = []
    for track in range(3):
        z = latent.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(decoder.generators(z)[2][:, track].sum(), z)
        rows.append(gradient.abs().sum((0, 2, 3)) > 0)
    return torch.stack(rows)


def test_a_composer_writes_all_tracks_and_a_player_one():
    assert gradient_reach("composer").tolist() == [[True]] * 3
    assert torch.equal(gradient_reach("hybrid"), torch.eye(3) > 0)


def test_jamming_scores_are_the_sum_of_a_critic_for_each_track():
    networks = build(
        TINY.model_copy(update={"wiring": "jamming"}), ODD, LAKH, 2, recipe("wgan_gp")
    )
    critic = networks["critic_x"]
    quiet, loud = torch.zeros(1, 5, 2, 2, 15, 31), rolls(1, 5, 2, ODD)
    alone = []
    for track in range(5):
        x = quiet.clone()
        x[:, track] = loud[:, track]
        alone.append(critic(x) - critic(quiet))
    torch.testing.assert_close(critic(loud) - critic(quiet), sum(alone), rtol=1e-3, atol=1e-4)


GIVEN = ("guitar", "drums")


def beside(wiring: str, names: tuple[str, ...] = GIVEN) -> MuseGANConfig:
    return TINY.model_copy(update={"wiring": wiring, "given": names})


@pytest.mark.parametrize("wiring", WIRINGS)
def test_given_tracks_reach_generator_encoder_and_critic(wiring):
    """Every given track, and the made tracks of a sample are all but these."""
    torch.manual_seed(2)
    conditional = recipe("vae_gan").beside_condition()
    networks = build(beside(wiring), ODD, LAKH, 2, conditional)
    z, x = networks["prior"](1).rsample(), rolls(1, 3, 2, ODD)
    c = rolls(1, 2, 2, ODD)
    others = [
        torch.where(torch.arange(2)[:, None, None, None, None] == n, 1 - c, c) for n in (0, 1)
    ]
    readers = {
        "generator": lambda c: networks["decoder"](z, c).mean,
        "encoder": lambda c: networks["encoder"](x, c).mean,
        "critic": lambda c: networks["critic_xc"](x, c),
    }
    assert readers["generator"](c).shape == x.shape
    for name, read in readers.items():
        for other in others:
            assert (read(c) - read(other)).abs().max() > 1e-6, name


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_given_track_reaches_the_gates_of_its_bar(wiring):
    """They read if tracks play, their pitches and the harmony, so that a chord can be followed."""
    torch.manual_seed(2)
    decoder = Decoder(beside(wiring), ODD, LAKH, 2)
    z, c = torch.randn(1, decoder.wires.latent), rolls(1, 2, 2, ODD)
    other = c.clone()
    other[:, 0, :, 1] = 1 - c[:, 0, :, 1]
    one, two = (decoder(z, given) for given in (c, other))
    assert isinstance(one, GatedNotes)
    assert isinstance(two, GatedNotes)
    pairs = [(one.plays, two.plays, 2), (one.uses, two.uses, 2), (one.harmony, two.harmony, 1)]
    for before, after, axis in pairs[: 2 if wiring == "jamming" else 3]:
        assert before is not None
        assert after is not None
        changed = (before.logits - after.logits).abs().movedim(axis, 0).flatten(1).amax(1)
        assert (changed > 1e-6).tolist() == [False, True]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_given_track_reaches_every_other_track(wiring):
    """At its own bar: the maps of given tracks do not mix bars."""
    torch.manual_seed(2)
    decoder = Decoder(beside(wiring), ODD, LAKH, 2)
    z, c = torch.randn(1, decoder.wires.latent), rolls(1, 2, 2, ODD)
    other = c.clone()
    other[:, 1, :, 1] = 1 - c[:, 1, :, 1]
    one, two = (decoder(z, given).notes.onset.logits for given in (c, other))
    changed = ((one - two).abs() > 1e-6).flatten(3).any(3)
    assert changed[0].tolist() == [[False, True]] * 3  # [track bar]


def test_the_critics_of_jamming_judge_each_track_beside_all_given_ones():
    """The score is a sum over made tracks; each summand changes with the given tracks."""
    torch.manual_seed(2)
    networks = build(beside("jamming"), ODD, LAKH, 2, recipe("wgan_gp").beside_condition())
    critic, x = networks["critic_xc"], rolls(1, 3, 2, ODD)
    assert isinstance(critic, Critic)
    one, other = rolls(1, 2, 2, ODD), rolls(1, 2, 2, ODD)
    features = critic.trunk(x, one), critic.trunk(x, other)
    assert ((features[0] - features[1]).abs() > 1e-6).any(2)[:, 0].tolist() == [True] * 3
    quiet = x.clone()
    quiet[:, 1] = 0
    same = ((critic.trunk(x, one) - critic.trunk(quiet, one)).abs() > 1e-6).any(2)[:, 0]
    assert same.tolist() == [False, True, False]


def test_players_are_those_of_the_other_tracks():
    decoder = Decoder(beside("hybrid"), ODD, LAKH, 2)
    assert decoder.wires.players == 3
    assert decoder.sustained.tolist() == [1, 1, 1], "the drums are given"
    assert Decoder(beside("hybrid", ("bass",)), ODD, LAKH, 2).sustained.tolist() == [0, 1, 1, 1]
    assert Decoder(beside("composer"), ODD, LAKH, 2).wires.players == 1


def test_the_statistics_are_of_given_tracks_too():
    """Moments compare both: of five tracks 7 counts a bar, and the harmony of every pair."""
    networks = build(beside("hybrid"), ODD, LAKH, 2, recipe("musegan").beside_condition())
    x, c = rolls(2, 3, 2, ODD), rolls(2, 2, 2, ODD)
    critic = networks["critic_xc"]
    assert isinstance(critic, Critic)
    (bars, beats), (alone, _) = critic.statistics(x, c), critic.statistics(c)
    assert bars.shape == (2 * 2, 5 * 7)
    assert torch.equal(bars[:, 3 * 7 :], alone)
    assert beats.shape == (2 * 2 * 5, 5 * 12 + 2 * 10)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_captioned_and_knows_every_recipe(name):
    preset = PRESETS[name]

    def values(model):
        return preset.values(model, recipe(model))["train"]

    assert preset.purpose and preset.paper and preset.expected and preset.cost
    assert values("wgan_gp") != values("vae")


@pytest.mark.parametrize("blocks", ["dcgan", "style"])
@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
def test_generators_can_be_built_of_blocks_of_any_domain(wiring, blocks):
    torch.manual_seed(0)
    config = MuseGANConfig(wiring=wiring, latent=8, channels=4, critic_channels=4, blocks=blocks)
    grid = Grid(steps_per_beat=4, beats_per_bar=3, pitches=20)  # bars of 12 x 20: halved once
    networks = build(config, grid, LAKH, 2, recipe("gan"))
    assert isinstance(networks["decoder"].generators, MapGenerators)
    passes = Passes(networks, Batch(rolls(3, 5, 2, grid)))
    assert passes.generated_x.shape == (3, 5, 2, 2, 12, 20)
    assert set(passes.generated_x.unique().tolist()) <= {0.0, 1.0}
    passes.score("critic_x", (passes.generated_x,)).sum().backward()
    silent = [
        n for n, p in networks["decoder"].named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert not [name for name in silent if name.startswith("generators")]


def test_blocks_of_any_domain_take_no_given_tracks():
    with pytest.raises(ValueError, match="given tracks need blocks: paper"):
        MuseGANConfig(blocks="style", given=("piano",))
    assert MuseGANConfig.model_validate({"given": 0}).given == (), "of earlier runs"


def neurons_of(kind: str, **settings: float) -> list[Bernoulli]:
    """All neurons of a decoder: of its gates and of its notes."""
    torch.manual_seed(0)
    decoder = Decoder(TINY.replace(binarisation=kind, **settings), ODD, LAKH, 2)
    x = decoder(torch.randn(3, decoder.wires.latent))
    assert isinstance(x, GatedNotes)
    assert x.harmony is not None
    return [x.plays, x.uses, x.harmony, x.notes.onset, x.notes.hold]


def test_settings_reach_all_neurons():
    """A sample of "probability" neurons is sigmoid(slope * logit), which is the gradient of
    binary ones; deterministic ones are rounded, stochastic ones are drawn."""
    for neurons in neurons_of("probability", slope=2.5):
        torch.testing.assert_close(neurons.rsample(), torch.sigmoid(2.5 * neurons.logits))
    for kind in ("deterministic", "stochastic"):
        for neurons in neurons_of(kind, slope=2.5):
            neurons.logits.retain_grad()
            neurons.rsample().sum().backward(retain_graph=True)
            sigmoid = torch.sigmoid(2.5 * neurons.logits.detach())
            assert neurons.logits.grad is not None
            torch.testing.assert_close(neurons.logits.grad, 2.5 * sigmoid * (1 - sigmoid))
    for neurons in neurons_of("deterministic"):
        assert torch.equal(neurons.rsample(), (neurons.logits > 0).float())
    for neurons in neurons_of("stochastic"):
        assert set(neurons.rsample().unique().tolist()) == {0.0, 1.0}
        assert not torch.equal(neurons.rsample(), neurons.rsample())


def test_the_slope_grows_by_a_factor_every_so_many_steps():
    """Dong and Yang 2018, section 3.4: 1.1 an epoch. Samples do not depend on it."""
    config = TINY.replace(slope=2.0, slope_growth=1.1, slope_steps=10)
    decoder = Decoder(config, ODD, LAKH, 2)
    z = torch.randn(1, decoder.wires.latent)
    for number, epochs in ((0, 0), (9, 0), (10, 1), (25, 2), (100, 10)):
        decoder.set_stage(number)
        x = decoder(z)
        assert isinstance(x, GatedNotes)
        for neurons in (x.plays, x.uses, x.notes.onset, x.notes.hold):
            assert neurons.slope == pytest.approx(2 * 1.1**epochs)
    torch.manual_seed(3)
    steep = decoder(z).rsample()
    decoder.set_stage(0)
    torch.manual_seed(3)
    assert torch.equal(decoder(z).rsample(), steep)


def test_samples_can_be_binarised_in_another_way_than_in_training():
    decoder = Decoder(TINY, ODD, LAKH, 2)
    z = torch.randn(1, decoder.wires.latent)
    decoder.sampled_as = "deterministic"
    assert torch.equal(decoder(z).rsample(), decoder(z).rsample())
    decoder.sampled_as = "probability"
    assert ((decoder(z).rsample() % 1) > 0).any()
    decoder.sampled_as = None
    assert not torch.equal(decoder(z).rsample(), decoder(z).rsample())


@pytest.mark.parametrize("setting", [{"slope_growth": 1.1}, {"refine_after_steps": 5}])
def test_what_ends_in_binary_neurons_needs_them(setting):
    for kind in ("stochastic", "deterministic"):
        MuseGANConfig(binarisation=kind, **setting)
    with pytest.raises(ValueError, match="needs binarisation: stochastic or deterministic"):
        MuseGANConfig(binarisation="probability", **setting)


def test_the_papers_own_game_is_a_recipe_beside_ours():
    """`wgan_gp` is `musegan` without the moments: the same networks in every wiring."""
    ours, alone = recipe("musegan"), recipe("wgan_gp")
    assert ours.without(["moments_x"]).terms == alone.terms
    assert [term.name for term in alone.terms] == ["match_x"]
    for wiring in WIRINGS:
        config = TINY.replace(wiring=wiring)
        one, other = (build(config, ODD, LAKH, 2, each) for each in (ours, alone))
        assert str(one) == str(other)


def test_drums_are_hits_and_other_tracks_hold_their_notes():
    torch.manual_seed(1)
    decoder = Decoder(TINY, ODD, LAKH, 2)
    sounding, onset = decoder(torch.randn(20, decoder.wires.latent)).rsample().unbind(2)
    is_held = (sounding > onset).flatten(2).any(2).any(0)
    assert is_held.tolist() == [not track.is_drum for track in LAKH]


def test_the_harmony_is_that_of_the_shared_latents():
    """z and z_t move it, z_i and z_it do not; jamming shares nothing and has no harmony."""
    torch.manual_seed(1)
    decoder = Decoder(TINY, ODD, LAKH, 2)
    parts = list(torch.randn(1, decoder.wires.latent).split(decoder.wires.sizes.parts(5), 1))
    before = decoder(torch.cat(parts, 1)).harmony.logits
    changed = []
    for part in range(4):
        other = [value + 1 if n == part else value for n, value in enumerate(parts)]
        changed.append(bool((decoder(torch.cat(other, 1)).harmony.logits != before).any()))
    assert changed == [True, True, False, False]
    jamming = Decoder(TINY.model_copy(update={"wiring": "jamming"}), ODD, LAKH, 2)
    assert jamming(torch.randn(1, jamming.wires.latent)).harmony is None
