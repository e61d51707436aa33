"""Several games in one recipe: each is known by the name of its critic."""

import pytest
import torch
from torch import nn

from core.errors import ConfigError
from core.networks.heads import StandardNormal
from core.papers import Paper
from core.recipe import Recipe
from core.recipes import RECIPES
from core.theory.adversarial import Adversarial, GradientPenalty, hinge, wasserstein
from core.theory.distributions import Delta
from core.theory.divergences import Features
from core.theory.passes import Batch, Networks
from core.theory.terms import Match
from core.training.stabilisers import Stabilisers
from core.training.step import Optimisation, TrainState, critic_step, learner_step

PAPER = Paper("nobody2026", "Nobody", "None", "Nowhere", 2026)
X = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
RATE = Optimisation(learning_rate=0.1)
FRAMES = Match("x", Adversarial(hinge, play="linear"), ("decoder",), critic="critic_frames")
WHOLE = Match("x", Adversarial(wasserstein), ("decoder",), weight=2.0)


class Shift(nn.Module):
    """A decoder that adds a learned vector to z."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([0.5, -0.25]))

    def forward(self, z, c=None):
        return Delta(z + self.shift)


class Linear(nn.Module):
    """A critic with score w'x."""

    def __init__(self, *weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def features(self, x):
        return x * self.weight

    def forward(self, x):
        return x @ self.weight


def state(*terms: Match) -> TrainState:
    networks = Networks(
        {
            "decoder": Shift(),
            "prior": StandardNormal(2),
            "critic_x": Linear(3.0, -1.0),
            "critic_frames": Linear(0.25, 7.0),
        }
    )
    return TrainState(networks, Recipe(terms, PAPER), RATE, RATE)


def decoder_gradient(*terms: Match) -> torch.Tensor:
    one = state(*terms)
    torch.manual_seed(0)
    learner_step(one, Batch(X))
    gradient = one.networks["decoder"].get_parameter("shift").grad
    assert gradient is not None
    return gradient


def test_the_decoders_gradient_of_two_games_is_the_sum_of_both():
    """Each learner minimises -w'x, so that its gradient is -w times the term's weight."""
    torch.testing.assert_close(decoder_gradient(FRAMES), torch.tensor([-0.25, -7.0]))
    torch.testing.assert_close(decoder_gradient(WHOLE), torch.tensor([-6.0, 2.0]))
    torch.testing.assert_close(decoder_gradient(WHOLE, FRAMES), torch.tensor([-6.25, -5.0]))


def test_games_on_the_same_share_of_a_batch_generate_once():
    """Two games on two of three samples, in a step of the critics and in one of the learner."""
    few = Adversarial(wasserstein, played=0.5)
    games = (Match("x", few, ("decoder",), critic=name) for name in ("", "critic_frames"))
    both, seen = state(*games), []
    both.networks["decoder"].register_forward_hook(lambda _, z, x: seen.append(len(z[0])))
    critic_step(both, Batch(X))
    learner_step(both, Batch(X))
    assert seen == [2, 2]


def test_each_critic_receives_the_gradient_of_its_own_loss():
    """Wasserstein: mean fake - mean real; hinge, with both margins violated: the same."""
    both = state(WHOLE, FRAMES)
    torch.manual_seed(0)
    losses = critic_step(both, Batch(X))
    torch.manual_seed(0)
    fake = torch.randn(3, 2) + torch.tensor([0.5, -0.25])
    for critic, weight in (("critic_x", [3.0, -1.0]), ("critic_frames", [0.25, 7.0])):
        w = torch.tensor(weight, requires_grad=True)
        real_score, fake_score = X @ w, fake @ w
        game = (
            fake_score - real_score
            if critic == "critic_x"
            else (1 - real_score).clamp(min=0) + (1 + fake_score).clamp(min=0)
        )
        game.mean().backward()
        assert losses[f"{critic}_game"] == pytest.approx(game.mean().item(), rel=1e-5)
        ours = both.networks[critic].get_parameter("weight").grad
        torch.testing.assert_close(ours, w.grad)
        assert ours is not None
        assert ours.abs().min() > 1e-3


def test_losses_are_logged_by_the_names_of_the_terms():
    """The learner's losses are -w'x: their difference identifies each."""
    losses = learner_step(state(WHOLE, FRAMES), Batch(X))
    assert {"match_x", "match_x_frames"} <= set(losses)
    assert WHOLE.name == "match_x"
    assert FRAMES.formula == "Match(x, hinge, frames)"
    alone = learner_step(state(FRAMES), Batch(X))
    assert set(alone) == {"match_x_frames", "skipped"}


def test_a_weight_is_set_for_one_of_two_games():
    recipe = Recipe((WHOLE, FRAMES), PAPER).weighted({"match_x_frames": 0.5})
    assert [term.weight for term in recipe.terms] == [2.0, 0.5]


def test_clipping_bounds_the_weights_of_its_own_critic():
    clipped = Match("x", Adversarial(wasserstein, clip=0.125), ("decoder",))
    both = state(clipped, FRAMES)
    critic_step(both, Batch(X))
    assert both.networks["critic_x"].get_parameter("weight").abs().max() <= 0.125
    assert both.networks["critic_frames"].get_parameter("weight").abs().max() > 5


def test_a_penalty_is_of_its_own_critic():
    """|w| = sqrt(10) and sqrt(49.0625): 10 (|w| - 1)^2 of the frames' critic alone."""
    game = Adversarial(wasserstein, penalties=(GradientPenalty(10.0),))
    frames = Match("x", game, ("decoder",), critic="critic_frames")
    losses = critic_step(state(WHOLE, frames), Batch(X))
    assert losses["critic_frames_penalty"] == pytest.approx(10 * (49.0625**0.5 - 1) ** 2, rel=1e-5)
    assert "critic_x_penalty" not in losses


def test_feature_matching_reads_the_critic_of_each_game():
    recipe = Stabilisers(feature_matching=0.5).on(Recipe((WHOLE, FRAMES), PAPER))
    matched = recipe.terms[2:]
    assert [term.name for term in matched] == ["features_x", "features_x_frames"]
    assert recipe.networks == ("critic_frames", "critic_x", "decoder", "prior")
    both = state(WHOLE, FRAMES)
    passes = recipe.passes(both.networks, Batch(X))
    gap = passes.generated_x.mean(0) - X.mean(0)
    for term, weight in zip(matched, ([3.0, -1.0], [0.25, 7.0]), strict=True):
        assert isinstance(term, Match)
        assert isinstance(term.by, Features)
        torch.testing.assert_close(term(passes), ((gap * torch.tensor(weight)) ** 2).sum())


def test_two_terms_of_one_name_are_refused_with_the_cure():
    with pytest.raises(ConfigError, match=r"'match_x' is there twice.*critic="):
        Recipe((WHOLE, Match("x", Adversarial(hinge), ("decoder",))), PAPER)


def test_a_critic_of_two_games_is_refused():
    joint = Match("xc", Adversarial(hinge), ("decoder",), critic="critic_x")
    with pytest.raises(ConfigError, match="'critic_x' is there twice"):
        Recipe((WHOLE, joint), PAPER)


def test_a_critic_is_named_as_one():
    with pytest.raises(ConfigError, match="begins with 'critic_'"):
        Match("x", Adversarial(hinge), ("decoder",), critic="frames")


def test_a_missing_critic_is_named():
    assert FRAMES.needs == {"critic_frames"}
    assert WHOLE.needs == frozenset()


def test_a_term_that_trains_nothing_has_no_weight_to_set():
    with pytest.raises(ConfigError, match="'match_x' trains no network"):
        RECIPES["aavae"].weighted({"match_x": 1.0})


def test_a_game_of_weight_0_is_played_for_its_critic_alone():
    """That of `aavae` trains no other network than its critic and has weight 0 from the start."""
    assert len(RECIPES["aavae"].critics) == 1
    assert not RECIPES["gan"].weighted({"match_x": 0.0}).critics
