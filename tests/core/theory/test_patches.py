"""Games of critics that score each patch, by hand on two patches without any symmetry.

Real scores 2 and -1 have the mean 0.5, produced ones 0.5 and 3 the mean 1.75.
"""

import math

import pytest
import torch
from torch import Tensor

from core.theory.adversarial import (
    R1,
    Adversarial,
    Game,
    GradientPenalty,
    hinge,
    least_squares,
    logistic,
    wasserstein,
)
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import CriticWeighted, Match, Reconstruct

REAL, FAKE, RECONSTRUCTED = [2.0, -1.0], [0.5, 3.0], [1.0, -2.0]


class Plain(torch.nn.Module):
    """A critic that scores each number of x; with c, plus c."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return x if c is None else x + c


class TwoPatches(Passes):
    def __init__(self, fake: Tensor | None = None):
        super().__init__(Networks({"critic_x": Plain()}), Batch(torch.tensor([REAL])))
        self.generated_x = torch.tensor([FAKE]) if fake is None else fake
        self.reconstructed_x = torch.tensor([RECONSTRUCTED])


def softplus(score: float) -> float:
    return math.log1p(math.exp(score))


CRITICS: dict[Game, tuple[float, float]] = {
    least_squares: ((0.625 + 6.5) / 2, 1.65625),
    logistic: (
        (softplus(-2) + softplus(0.5) + softplus(1) + softplus(3)) / 2,
        softplus(-0.5) + softplus(1.75),
    ),
    hinge: ((0 + 1.5 + 2 + 4) / 2, 0.5 + 2.75),
    wasserstein: (1.25, 1.25),
}
"""The mean of the game at both patches, and the game at the mean score."""


@pytest.mark.parametrize("game", CRITICS)
def test_the_critics_loss_is_the_mean_of_the_game_at_each_patch(game: Game):
    loss = Adversarial(game).critic_loss(TwoPatches(), "x", "critic_x")["game"]
    mean_of_game, game_of_mean = CRITICS[game]
    assert loss.tolist() == [pytest.approx(mean_of_game, rel=1e-6)]
    at_the_mean = game(*(torch.tensor([scores]).mean(1) for scores in (REAL, FAKE)))
    assert at_the_mean.item() == pytest.approx(game_of_mean, rel=1e-6)
    assert (mean_of_game == game_of_mean) == (game is wasserstein)


LEARNERS = {
    "least squares": (Adversarial(least_squares), (2.125 + 2.5) / 2),
    "logistic": (
        Adversarial(logistic),
        (softplus(-0.5) + softplus(2) + softplus(-3) + softplus(-1)) / 2,
    ),
    "minimax": (Adversarial(logistic, play="minimax"), -CRITICS[logistic][0]),
    "linear": (Adversarial(hinge, play="linear"), -1.25),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_the_learners_loss_is_the_mean_over_patches(name: str):
    by, expected = LEARNERS[name]
    assert by(TwoPatches(), "x", "critic_x").tolist() == [pytest.approx(expected, rel=1e-6)]


def test_each_patch_has_a_gradient_of_its_own():
    """(fake - 1) / 2; a game of the mean score moves both in the same way."""
    fake = torch.tensor([FAKE], requires_grad=True)
    Adversarial(least_squares)(TwoPatches(fake), "x", "critic_x").sum().backward()
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad, torch.tensor([[-0.25, 1.0]]))


def test_smoothing_and_reconstructions_are_of_each_patch():
    """Least squares: a share s of real that is labelled fake adds s * real."""
    smoothed = Adversarial(least_squares, label_smoothing=0.2)
    loss = smoothed.critic_loss(TwoPatches(), "x", "critic_x")["game"]
    assert loss.tolist() == [pytest.approx(3.5625 + 0.2 * 0.5)]
    both = Adversarial(least_squares, reconstructions=True)
    loss = both.critic_loss(TwoPatches(), "x", "critic_x")["game"]
    assert loss.tolist() == [pytest.approx(3.5625 + (1.0 + 2.5) / 2)]
    assert both(TwoPatches(), "x", "critic_x").tolist() == [pytest.approx(2.3125 + 4.5 / 2)]


def test_a_game_of_data_and_their_reconstructions_sees_no_samples():
    """Hinge, of real 2 and -1 and reconstructed 1 and -2: (0 + 2) + (2 + 0), halved by the mean.

    The learner raises the mean score of reconstructions, -0.5, above that of data, 0.5.
    """
    passes = TwoPatches()
    del passes.generated_x
    by = Adversarial(hinge, play="linear")
    loss = by.critic_loss(passes, "reconstruction", "critic_x")["game"]
    assert loss.tolist() == [pytest.approx(2.0)]
    game = Match("reconstruction", by, trains=(), critic="critic_x")
    assert game(passes).tolist() == [pytest.approx(1.0)]
    assert set(game.networks) == {"encoder", "decoder", "critic_x"}


def test_a_wrong_condition_is_rejected_at_each_patch():
    """Two samples with conditions 0 and 1, each with two patches."""
    c = torch.tensor([[0.0], [1.0]])
    x = torch.tensor([REAL, [0.0, 1.0]])
    passes = Passes(Networks({"critic_xc": Plain()}), Batch(x, c))
    passes.__dict__["generated_x"] = torch.tensor([FAKE, [1.0, 0.0]])
    by = Adversarial(least_squares, mismatched=True)
    losses = by.critic_loss(passes, "xc", "critic_xc")["game"]
    torch.testing.assert_close(losses, torch.tensor([(3.5625 + 3.5) / 2, (1.5 + 0.5) / 2]))


def test_a_penalty_is_of_the_slope_of_the_mean_score():
    """Slopes (6, 0) and (0, 8) have the mean (3, 4), of norm 5."""
    slopes = torch.tensor([[6.0, 0.0], [0.0, 8.0]])
    x = torch.randn(3, 2)
    for penalty, expected in ((GradientPenalty(0.5), 8.0), (R1(0.4), 5.0)):
        paid = penalty(lambda x: x @ slopes, (x,), (x,))
        torch.testing.assert_close(paid, torch.full((3,), expected))


class Probable(torch.nn.Module):
    """A critic of three patches: probabilities 1/2, 3/4 and 9/10 that a sample is data."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(torch.tensor([1.0, 3.0, 9.0])).expand(len(x), 3)


class Ten(Reconstruct):
    def __call__(self, passes: Passes) -> Tensor:
        return torch.full((len(passes.x),), 10.0)


def test_a_sample_weighs_the_mean_probability_of_its_patches():
    passes = Passes(Networks({"critic_x": Probable()}), Batch(torch.zeros(2, 1)))
    passes.__dict__["generated_x"] = torch.zeros(2, 1)
    weighted = CriticWeighted(Ten("x"), ("encoder",))(passes)
    torch.testing.assert_close(weighted, torch.full((2,), 2 * 10 * (0.5 + 0.75 + 0.9) / 3))


def test_patches_are_averaged_over_all_their_axes():
    """[batch 2 3] patches of two axes: the mean of all six."""
    real = torch.tensor([[[1.0, 2.0, 0.0], [0.5, -1.0, 3.0]]])
    passes = Passes(Networks({"critic_x": Plain()}), Batch(real))
    passes.__dict__["generated_x"] = torch.zeros(1, 2, 3)
    loss = Adversarial(least_squares).critic_loss(passes, "x", "critic_x")["game"]
    assert loss.tolist() == [pytest.approx((0 + 1 + 1 + 0.25 + 4 + 4) / 2 / 6)]
