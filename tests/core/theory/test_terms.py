"""The two kinds of terms on networks made by hand: their losses and their gradients."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from core.errors import ConfigError
from core.networks.codes import LatentCodePrior
from core.networks.heads import StandardNormal
from core.papers import Paper
from core.recipe import Recipe
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.theory.adversarial import (
    R1,
    Adversarial,
    GradientPenalty,
    logistic,
    wasserstein,
)
from core.theory.codes import CodePosterior
from core.theory.distributions import Delta, Gaussian
from core.theory.divergences import KL, MMD
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import (
    L1,
    Classify,
    CriticWeighted,
    Cycle,
    Identity,
    Match,
    MutualInformation,
    Reconstruct,
    Term,
)
from core.training.step import Optimisation, TrainState, game, learner_step

PAPER = Paper("nobody2026", "Nobody", "None", "Nowhere", 2026)
SGD_LIKE = Optimisation(learning_rate=0.1)


class Affine(nn.Module):
    """A linear Gaussian network: N(scale * input + shift, std^2)."""

    def __init__(self, scale: float, shift: float, std: float):
        super().__init__()
        self.scale, self.shift = (nn.Parameter(torch.tensor(v)) for v in (scale, shift))
        self.std = std

    def forward(self, value, c=None):
        mean = self.scale * value + self.shift
        return Gaussian(mean, torch.full_like(mean, math.log(self.std)))


class Score(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def features(self, x):
        return self.weight * x

    def forward(self, *point):
        return self.weight * sum(p.sum(-1) for p in point)


def networks(**others: nn.Module) -> Networks:
    parts = {"encoder": Affine(0.5, 0.1, 0.2), "decoder": Affine(2.0, -0.3, 0.5)}
    return Networks(parts | {"prior": StandardNormal(1)} | others)


X = torch.tensor([[1.0], [-2.0], [0.25]])


def test_reconstruction_of_x_is_the_decoders_surprise():
    passes = Passes(networks(), Batch(X))
    mean = 2.0 * passes.posterior_sample - 0.3
    expected = 0.5 * ((X - mean) / 0.5) ** 2 + math.log(0.5) + 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(Reconstruct("x")(passes), expected.squeeze(-1))


def test_reconstruction_of_z_is_the_encoders_surprise():
    passes = Passes(networks(), Batch(X))
    mean = 0.5 * passes.generated_x + 0.1
    squared = 0.5 * ((passes.prior_sample - mean) / 0.2) ** 2
    expected = squared + math.log(0.2) + 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(Reconstruct("z")(passes), expected.squeeze(-1))


def test_reconstruction_in_features_scales_with_them():
    passes = Passes(networks(critic_x=Score()), Batch(X))
    built = passes.reconstruction
    torch.manual_seed(7)
    ours = Reconstruct("features")(passes)
    torch.manual_seed(7)
    expected = 0.5 * (2 * (built.rsample() - X)) ** 2
    torch.testing.assert_close(ours, expected.squeeze(-1))


def test_the_evidence_bound_of_a_linear_gaussian_model():
    """ELBO <= log p(x) of probabilistic PCA, equal at the true posterior (Tipping and Bishop)."""
    scale, std = 1.7, 0.6
    exact = torch.distributions.Normal(0.4, math.sqrt(scale**2 + std**2)).log_prob(X).squeeze(-1)
    gain = scale / (scale**2 + std**2)
    spread = math.sqrt(1 - gain * scale)
    true = Affine(gain, -0.4 * gain, spread)
    for encoder, tolerance in ((true, 0.02), (Affine(0.5, 0.1, 0.2), None)):
        model = Networks(
            {"encoder": encoder, "decoder": Affine(scale, 0.4, std), "prior": StandardNormal(1)}
        )
        torch.manual_seed(8)
        passes = Passes(model, Batch(X.repeat(20_000, 1)))
        losses = Reconstruct("x")(passes) + Match("z", KL(), trains=("encoder",))(passes)
        bound = -losses.view(-1, 3).mean(0)
        if tolerance:
            torch.testing.assert_close(bound, exact, atol=tolerance, rtol=0)
        else:
            assert (bound < exact - 0.05).all()


def test_a_quantity_is_computed_once():
    passes = Passes(networks(), Batch(X))
    assert passes.posterior_sample is passes.posterior_sample
    assert passes.reference("xz")[1] is passes.posterior_sample
    assert passes.produced("xz")[1] is passes.prior_sample


def test_a_space_without_condition_says_so():
    with pytest.raises(ValueError, match="condition"):
        Passes(networks(), Batch(X)).reference("xc")


def test_match_in_z_trains_the_side_that_is_named():
    """The game is symmetric: with trains=prior, the prior moves towards the codes."""
    critic = Score()
    passes = Passes(networks(critic_z=critic), Batch(X))
    passes.prior = Delta(torch.full((3, 1), 0.5, requires_grad=True))
    loss = Match("z", Adversarial(wasserstein), trains=("prior",))(passes).sum()
    (gradient,) = torch.autograd.grad(loss, passes.prior.point)
    torch.testing.assert_close(gradient, torch.full((3, 1), 2.0))  # down the score of reference


TERMS = {
    "wake-sleep": (
        (Reconstruct("x", trains=("decoder",)), Reconstruct("z", trains=("encoder",))),
        {"encoder", "decoder"},
    ),
    "wake alone": ((Reconstruct("x", trains=("decoder",)),), {"decoder"}),
    "sleep alone": ((Reconstruct("z", trains=("encoder",)),), {"encoder"}),
    "generator": ((Match("x", Adversarial(wasserstein), trains=("decoder",)),), {"decoder"}),
    "moments": ((Match("x", MMD(), trains=("decoder",)),), {"decoder"}),
    "weightless": ((Reconstruct("x", trains=("decoder",), weight=0.0),), set()),
}


@pytest.mark.parametrize("name", TERMS)
def test_a_step_moves_exactly_the_networks_named(name):
    terms, expected = TERMS[name]
    parts = networks(critic_x=Score())
    state = TrainState(parts, Recipe(terms, PAPER), SGD_LIKE, SGD_LIKE)
    before = {key: value.clone() for key, value in parts.state_dict().items()}
    torch.manual_seed(9)
    losses = learner_step(state, Batch(X), measured=True)
    moved = {
        k.split(".")[0] for k, v in parts.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == expected
    assert terms[0].name in losses  # a term of weight 0 is still logged


def reached(term: Term, passes: Passes) -> set[str]:
    """The networks that a gradient of the term's loss reaches."""
    term(passes).sum().backward()
    parameters = passes.networks.named_parameters()
    return {name.split(".")[0] for name, p in parameters if p.grad is not None and p.grad.any()}


@pytest.mark.parametrize("term", [Reconstruct("x"), L1(), Cycle("x"), Cycle("z"), Classify()])
def test_by_default_a_term_trains_the_networks_that_its_gradient_reaches(term):
    torch.manual_seed(2)
    parts = networks(classifier=Affine(1.5, 0.2, 1.0))
    passes = Passes(parts, Batch(X, c=2 * X, other=X + 3))
    assert reached(term, passes) == set(term.trains)


@pytest.mark.parametrize("part", ["categorical", "continuous"])
def test_by_default_the_code_is_read_by_q_and_written_by_the_decoder(part):
    torch.manual_seed(2)
    parts = Networks(
        {
            "encoder": ring.Encoder(CodePosterior, latent=16),
            "decoder": ring.Decoder(latent=16),
            "prior": LatentCodePrior(16),
        }
    )
    term = MutualInformation(part)
    assert reached(term, Passes(parts, Batch(X.expand(3, 2)))) == set(term.trains)


def test_wake_and_sleep_gradients_do_not_mix():
    """One step of both equals each alone: wake's gradient never reaches the encoder."""
    both = networks()
    terms = TERMS["wake-sleep"][0]
    state = TrainState(both, Recipe(terms, PAPER), SGD_LIKE, SGD_LIKE)
    torch.manual_seed(11)
    learner_step(state, Batch(X))
    torch.manual_seed(11)
    repeated = Passes(networks(), Batch(X))
    for term, name in zip(terms, ("decoder", "encoder"), strict=True):
        alone = torch.autograd.grad(
            term(repeated).mean(), list(repeated.networks[name].parameters()), retain_graph=True
        )
        ours = [p.grad for p in both[name].parameters()]
        torch.testing.assert_close(list(alone), ours)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_their_networks_paper_and_weights(name):
    recipe = RECIPES[name]
    trained = {network for term in recipe.terms for network in term.trains}
    assert trained <= set(recipe.networks)
    assert recipe.paper.bibtex.startswith("@inproceedings{" + recipe.paper.key)
    weights = {term.name: 0.125 for term in recipe.terms if term.trains}
    assert all(t.weight == 0.125 for t in recipe.weighted(weights).terms if t.trains)


class Scaled(nn.Module):
    """A translator: factor * input, with one weight."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, value, c=None):
        return Delta(self.factor * value)


def translation() -> Passes:
    """Encoder 3 x and decoder z / 2 between two collections of pairs of numbers."""
    networks = Networks({"encoder": Scaled(3.0), "decoder": Scaled(0.5)})
    x, other = torch.tensor([[2.0, -4.0]]), torch.tensor([[10.0, 0.0]])
    return Passes(networks, Batch(x, other=other))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (Cycle("x"), (1.0 + 2.0) / 2),  # x comes back as 1.5 x
        (Cycle("z"), (5.0 + 0.0) / 2),  # and z as 1.5 z
        (Identity("x", trains=("decoder",)), (1.0 + 2.0) / 2),  # the decoder halves x
        (Identity("z", trains=("encoder",)), (20.0 + 0.0) / 2),  # the encoder trebles z
    ],
    ids=["cycle_x", "cycle_z", "identity_x", "identity_z"],
)
def test_errors_of_a_translation_are_means_over_elements(term, expected):
    assert term(translation()).item() == pytest.approx(expected)


def test_a_cycle_reaches_both_translators():
    for term in (Cycle("x"), Cycle("z")):
        passes = translation()
        term(passes).sum().backward()
        assert all(p.grad is not None and p.grad != 0 for p in passes.networks.parameters())


def test_identity_terms_join_where_they_are_given_a_weight():
    """Zhu et al. 2017, section 5.2: 0.5 lambda."""
    names = [term.name for term in RECIPES["cyclegan"].terms]
    assert names == ["match_x", "match_z", "cycle_x", "cycle_z"]
    *_, last = RECIPES["cyclegan"].weighted({"identity_z": 5.0, "cycle_x": 7.0}).terms
    assert last == Identity("z", trains=("encoder",), weight=5.0)


class PlainScore(nn.Module):
    """Scores 2 x."""

    def forward(self, x):
        return 2 * x.flatten(1).sum(1)


class Fixed(Passes):
    """Real is 1, generated 3 and reconstructed -2."""

    def __init__(self):
        super().__init__(Networks({"critic_x": PlainScore()}), Batch(torch.tensor([[1.0]])))
        self.generated_x, self.reconstructed_x = torch.tensor([[3.0]]), torch.tensor([[-2.0]])


def test_the_game_of_vae_gan_has_reconstructions_on_the_fake_side():
    """log D(x) + log(1 - D(x~)) + log(1 - D(x_p)), scores 2, -4, 6 (Larsen et al., section 2.4).

    But for the constant log 2 of a score 0 that stands for nothing.
    """
    by = Adversarial(logistic, reconstructions=True)
    minus_log = [math.log1p(math.exp(-2)), math.log1p(math.exp(-4)), math.log1p(math.exp(6))]
    paid = by.critic_loss(Fixed(), "x", "critic_x")["game"].item()
    assert paid == pytest.approx(sum(minus_log) + math.log(2), rel=1e-5)
    fooled = math.log1p(math.exp(4)) + math.log1p(math.exp(-6))
    constant = math.log1p(math.exp(2)) + math.log(2)
    assert by(Fixed(), "x", "critic_x").item() == pytest.approx(fooled + constant, rel=1e-5)


def test_vae_gan_gives_each_network_its_part_of_the_loss():
    """Section 2.4: the encoder L_llike + L_prior, the decoder gamma L_llike - L_GAN.

    gamma is one over the weight of the game, up to the scale of the decoder's loss.
    """
    recipe = RECIPES["vae_gan"]
    assert {term.name: term.trains for term in recipe.terms} == {
        "reconstruct_features": ("encoder", "decoder"),
        "match_z": ("encoder",),
        "match_x": ("decoder",),
    }
    assert all(game(term).reconstructions for term in recipe.playing("hinge").critics)


def test_a_denoising_encoder_sees_noise_of_the_stated_size():
    x = torch.zeros(1000, 2)
    passes = replace(RECIPES["ae"], corruption=0.5).passes(networks(), Batch(x))
    assert passes.encoder_input is passes.encoder_input
    assert passes.encoder_input.std().item() == pytest.approx(0.5, rel=0.05)
    assert passes.reference("x")[0] is x
    assert RECIPES["ae"].passes(networks(), Batch(x)).encoder_input is x


def test_an_unknown_term_is_refused():
    with pytest.raises(Exception, match="match_z"):
        RECIPES["vae"].weighted({"match_y": 1.0})


@pytest.mark.parametrize(("name", "term"), [("aavae", "match_x"), ("adda", "classify")])
def test_a_weight_of_a_term_that_trains_nothing_is_refused(name, term):
    with pytest.raises(ConfigError, match="leave it out"):
        RECIPES[name].weighted({term: 1.0})
    RECIPES[name].weighted({term: 0.0})


def test_a_recipe_can_be_paced():
    paced = RECIPES["vae_gan"].paced(3)
    assert [term.name for term in paced.terms] == [t.name for t in RECIPES["vae_gan"].terms]
    assert [game(term).critic_steps for term in paced.critics] == [3]
    assert RECIPES["ae"].paced(3) == RECIPES["ae"]


def test_a_prediction_costs_its_l1_distance():
    """The decoder's mean at a sampled z, whatever its standard deviation."""
    parts = Networks({"decoder": Affine(0.5, 0.1, 0.2), "prior": StandardNormal(1)})
    passes = Passes(parts, Batch(X))
    expected = (X - (0.5 * passes.prior_sample + 0.1)).abs()
    torch.testing.assert_close(L1()(passes), expected.squeeze(-1))


def test_given_a_condition_two_more_networks_learn():
    conditional = RECIPES["vae_gan"].conditional()
    trains = {term.name: set(term.trains) for term in conditional.terms}
    assert trains == {
        "reconstruct_features": {"encoder", "decoder", "condition"},
        "match_z": {"encoder", "condition", "prior"},
        "match_x": {"decoder", "condition"},
    }
    assert RECIPES["glow"].conditional().networks == ("condition", "density")


def test_a_condition_is_read_once_for_all_networks_and_not_for_the_critic():
    class Twice(nn.Module):
        def forward(self, c):
            return 2 * c

    class Tell(nn.Module):
        def forward(self, value, c):
            return Delta(value + c)

    parts = Networks({"condition": Twice(), "encoder": Tell()})
    passes = Passes(parts, Batch(X, c=torch.full((3, 1), 5.0)))
    torch.testing.assert_close(passes.posterior_sample, X + 10)
    assert torch.equal(passes.reference("xc")[1], torch.full((3, 1), 5.0))


def test_a_recipe_can_be_played_otherwise():
    played = RECIPES["gan_cls"].playing("wgan_gp")
    assert game(played.critics[0]).game is wasserstein
    assert game(played.critics[0]).mismatched
    assert not game(played.without_mismatched().critics[0]).mismatched
    assert [t.name for t in RECIPES["vae"].without({"match_z"}).terms] == ["reconstruct_x"]
    with pytest.raises(Exception, match="'wgan_gp'"):
        RECIPES["gan"].playing("wgangp")


@pytest.mark.parametrize(
    ("name", "penalties"),
    [
        ("hinge", (R1(7.0),)),
        ("wgan_gp", (GradientPenalty(10.0),)),
        ("wgan", ()),  # its weights are clipped
    ],
)
def test_another_game_is_played_on_the_same_shares_of_a_batch_and_as_regularly(name, penalties):
    own = Adversarial(
        logistic, penalties=(R1(7.0), GradientPenalty(3.0)), played=0.25, penalised=0.5
    )
    recipe = Recipe((Match("x", own, trains=("decoder",)),), PAPER)
    by = game(recipe.playing(name).critics[0])
    assert (by.played, by.penalised, by.penalties) == (0.25, 0.5, penalties)


def test_recipes_name_what_a_domain_must_have():
    needs = {name: set(recipe.needs) for name, recipe in RECIPES.items() if recipe.needs}
    assert needs == {
        **{name: {"condition"} for name in ("cvae", "cgan", "gan_cls", "pix2pix")},
        "musegan": {"statistics"},
        **{n: {"vectors"} for n in ("nice", "gaussian_mixture", "ppca")},
        **{n: {"maps"} for n in ("realnvp", "glow")},
        **{n: {"symbols"} for n in ("pixelcnn", "wavenet", "transformer")},
        **{n: {"symbols"} for n in ("sparse_transformer", "local_transformer")},
        "cyclegan": {"other"},
        "classifier": {"labels"},
        **{name: {"labels", "other"} for name in ("dann", "adda")},
        "autoregressive": {"density"},
    }


class Knows(nn.Module):
    """A critic that knows data by heart: the samples X score high, all others low."""

    def forward(self, x):
        known = (x[:, None] == X[None]).all(2).any(1)
        return torch.where(known, 1e4, -1e4)


def test_an_adversary_critic_weighted_vae_with_a_degenerate_critic_is_the_vae():
    """Losses and gradients of all terms (Hu et al. 2018, section 4.2)."""

    def gradients(name: str, **others: nn.Module) -> tuple[list[float], list[torch.Tensor]]:
        built, recipe = networks(**others), RECIPES[name]
        torch.manual_seed(3)
        passes = Passes(built, Batch(X))
        passes.posterior_sample  # noqa: B018  # the same draw in both
        terms = [term for term in recipe.terms if term.weight]
        losses = [term(passes) for term in terms]
        pairs = zip(terms, losses, strict=True)
        total = torch.stack([t.weight * loss.sum() for t, loss in pairs])
        weights = [built[name].get_parameter(p) for name in ("encoder", "decoder") for p in SCALED]
        return [loss.sum().item() for loss in losses], list(
            torch.autograd.grad(total.sum(), weights)
        )

    losses, slopes = gradients("aavae", critic_x=Knows())
    expected_losses, expected_slopes = gradients("vae")
    assert losses == pytest.approx(expected_losses)
    torch.testing.assert_close(slopes, expected_slopes)


SCALED = ("scale", "shift")


class Half(nn.Module):
    """A critic that cannot discriminate: D = 1/2."""

    def forward(self, x):
        return torch.zeros(len(x))


def test_what_is_generated_counts_as_far_as_the_critic_takes_it_for_data():
    passes = Passes(networks(critic_x=Half()), Batch(X))
    inner = Reconstruct("x")
    built = CriticWeighted(inner, ("encoder", "decoder"))(passes)
    assert not passes.generated_passes.x.requires_grad
    torch.testing.assert_close(built, 0.5 * (inner(passes) + inner(passes.generated_passes)))


def test_minimax_between_two_collections_is_gradient_reversal():
    """The encoder's gradient is minus the one that the critic's loss would give it."""
    built = networks(critic_domain=Score())
    other = torch.tensor([[0.5], [3.0], [-1.0]])
    term = RECIPES["dann"].critics[0]
    weights = list(built["encoder"].parameters())

    def slopes(loss):
        torch.manual_seed(0)
        passes = Passes(built, Batch(X, other=other))
        return torch.autograd.grad(loss(passes).sum(), weights)

    def critics(passes):
        return logistic(
            built["critic_domain"](passes.source_latents),
            built["critic_domain"](passes.target_latents),
        )

    for ours, theirs in zip(slopes(term), slopes(critics), strict=True):
        torch.testing.assert_close(ours, -theirs)
        assert ours.abs() > 1e-3


def test_adda_moves_the_encoder_alone_against_a_source_that_stays():
    other = torch.tensor([[0.5], [3.0], [-1.0]])
    exact = {"encoder": Affine(0.5, 0.1, 1e-6), "source": Affine(0.7, 0.0, 1e-6)}
    built = networks(critic_domain=Score(), **exact)
    passes = Passes(built, Batch(X, other=other))
    (real,), (fake,) = passes.reference("domain"), passes.produced("domain")
    torch.testing.assert_close(real, 0.7 * X, atol=1e-4, rtol=0)
    torch.testing.assert_close(fake, 0.5 * other + 0.1, atol=1e-4, rtol=0)
    assert RECIPES["adda"].critics[0].trains == ("encoder",)
    assert "source" in RECIPES["adda"].networks


def test_space_domain_needs_another_collection():
    with pytest.raises(ValueError, match="another collection"):
        Passes(networks(), Batch(X)).produced("domain")


def test_a_linear_autoencoder_spans_the_principal_subspace():
    """The reconstruction is the projection of PCA (Baldi and Hornik 1989)."""
    torch.manual_seed(0)
    scales = torch.tensor([3.0, 2.0, 0.5, 0.3])
    turn = torch.linalg.qr(torch.randn(4, 4)).Q
    x = torch.randn(500, 4) * scales @ turn.T

    class Linear(nn.Module):
        def __init__(self, inputs: int, outputs: int):
            super().__init__()
            self.linear = nn.Linear(inputs, outputs, bias=False)

        def forward(self, value, c=None):
            return Delta(self.linear(value))

    built = Networks({"encoder": Linear(4, 2), "decoder": Linear(2, 4)})
    rate = Optimisation(learning_rate=0.05, betas=(0.9, 0.99))
    state = TrainState(built, RECIPES["ae"], rate, rate)
    for _ in range(200):
        learner_step(state, Batch(x))
    down, up = (built[name].get_parameter("linear.weight") for name in ("encoder", "decoder"))
    leading = torch.linalg.svd(x, full_matrices=False).Vh[:2]
    torch.testing.assert_close((up @ down).detach(), leading.T @ leading, atol=0.02, rtol=0)
