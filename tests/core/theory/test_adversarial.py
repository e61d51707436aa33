"""Games: textbook gradients, optimal values, penalties."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from core.theory.adversarial import (
    Adversarial,
    GradientPenalty,
    hinge,
    least_squares,
    logistic,
    wasserstein,
)
from core.theory.passes import Batch, Networks, Passes

FAKE = torch.tensor([0.7, -1.9, 0.2])
REAL = torch.tensor([1.1, 0.4, -0.6])

TEXTBOOK = {
    "non-saturating": (logistic, "swap", lambda fake: -F.logsigmoid(fake)),
    "minimax": (logistic, "minimax", lambda fake: torch.log(1 - torch.sigmoid(fake))),
    "least squares": (least_squares, "swap", lambda fake: 0.5 * (fake - 1) ** 2),
    "wasserstein": (wasserstein, "swap", lambda fake: -fake),
    "hinge": (hinge, "linear", lambda fake: -fake),
}


class Fixed(torch.nn.Module):
    """A critic that scores the samples FAKE and REAL as themselves."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(-1)


class FixedPasses(Passes):
    def __init__(self, fake: torch.Tensor):
        super().__init__(Networks({"critic_x": Fixed()}), Batch(REAL[:, None]))
        self.fake = fake

    def produced(self, space):
        return (self.fake[:, None],)


@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_learners_gradient_is_the_textbooks(name):
    game, play, textbook = TEXTBOOK[name]
    ours, theirs = (FAKE.clone().requires_grad_() for _ in range(2))
    Adversarial(game, play)(FixedPasses(ours), "x", "critic_x").sum().backward()
    textbook(theirs).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_minimax_reverses_the_critics_gradient():
    ours, critics = (FAKE.clone().requires_grad_() for _ in range(2))
    Adversarial(logistic, "minimax")(FixedPasses(ours), "x", "critic_x").sum().backward()
    logistic(REAL, critics).sum().backward()
    assert critics.grad is not None
    torch.testing.assert_close(ours.grad, -critics.grad)


def test_the_logistic_games_value_at_the_optimal_critic_of_equal_distributions():
    even = torch.zeros(1)
    assert -logistic(even, even).item() == pytest.approx(-math.log(4))


def test_the_best_score_on_a_discrete_pair_is_the_log_ratio():
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.3, 0.3, 0.4])
    score = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([score], max_iter=100)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = (p * logistic(score, torch.full((3,), -50.0))).sum()
        value = value + (q * logistic(torch.full((3,), 50.0), score)).sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(torch.sigmoid(score), p / (p + q), atol=1e-4, rtol=0)


def test_hinge_by_hand():
    assert hinge(torch.tensor([0.4]), torch.tensor([-0.3])).item() == pytest.approx(0.6 + 0.7)


def test_the_penalty_of_a_linear_critic():
    weight = torch.tensor([3.0, -4.0, 12.0])  # norm 13
    real, fake = torch.randn(5, 3), torch.randn(5, 3)
    penalty = GradientPenalty(10.0)(lambda x: x @ weight, (real,), (fake,))
    torch.testing.assert_close(penalty, torch.full((5,), 10.0 * 12.0**2))


def test_the_penalty_of_a_joint_takes_the_norm_over_both():
    def critic(x, z):
        return 3 * x.squeeze(-1) + 4 * z.squeeze(-1)

    points = [(torch.randn(2, 1), torch.randn(2, 1)) for _ in range(2)]
    penalty = GradientPenalty(1.0)(critic, points[0], points[1])
    torch.testing.assert_close(penalty, torch.full((2,), 16.0))


def test_the_penalty_moves_the_critic_and_leaves_conditions_alone():
    weight = torch.tensor([2.0], requires_grad=True)

    def critic(x, c):
        return (x * weight).squeeze(-1) + c

    c = torch.tensor([1, 0])
    penalty = GradientPenalty(1.0)(critic, (torch.zeros(2, 1), c), (torch.ones(2, 1), c))
    penalty.sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.tensor([2 * 2 * (2.0 - 1)]))


def value_of_a_trained_critic(draw: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Return the value of the Wasserstein game, on samples real and fake [batch number]."""
    torch.manual_seed(6)
    numbers = draw()[0].shape[1]
    critic = torch.nn.Sequential(
        torch.nn.Linear(numbers, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3, betas=(0.5, 0.9))
    values = []

    def score(x):
        return critic(x).squeeze(-1)

    for _ in range(400):
        real, fake = draw()
        game = wasserstein(score(real), score(fake)).mean()
        penalty = GradientPenalty(10.0)(score, (real,), (fake,)).mean()
        optimizer.zero_grad()
        (game + penalty).backward()
        optimizer.step()
        values.append(-game.item())
    return sum(values[-50:]) / 50


def test_a_trained_critics_value_is_the_distance_of_two_parallel_lines():
    gap = 1.5

    def draw():
        real = torch.stack([torch.zeros(64), torch.rand(64)], 1)
        return real, torch.stack([torch.full((64,), gap), torch.rand(64)], 1)

    assert value_of_a_trained_critic(draw) == pytest.approx(gap, abs=0.15)


def test_a_trained_critics_value_is_the_exact_distance_on_a_line():
    """On a line it is the mean gap of the sorted samples."""

    def draw():
        moved = torch.where(torch.rand(256, 1) < 0.25, -2.0, 1.0)
        return 0.3 * torch.randn(256, 1), 0.3 * torch.randn(256, 1) + moved

    real, fake = (torch.cat(many) for many in zip(*(draw() for _ in range(200)), strict=True))
    exact = (real.sort(0).values - fake.sort(0).values).abs().mean().item()
    assert value_of_a_trained_critic(draw) == pytest.approx(exact, abs=0.12)


class Pairs(torch.nn.Module):
    """A critic that scores a sample by itself and by its condition."""

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return x.squeeze(-1) + c.squeeze(-1)


def test_half_of_what_is_rejected_is_data_with_anothers_condition():
    """If the neighbour's condition is the same, all of it is generated."""
    c = torch.tensor([[1.0], [2.0], [2.0]])
    passes = Passes(Networks({"critic_xc": Pairs()}), Batch(REAL[:, None], c))
    passes.__dict__["generated_x"] = FAKE[:, None]
    losses = Adversarial(logistic, mismatched=True).critic_loss(passes, "xc", "critic_xc")["game"]
    right, fooled = REAL + c[:, 0], logistic(REAL + c[:, 0], FAKE + c[:, 0])
    wrong = logistic(right, REAL + torch.tensor([2.0, 1.0, 2.0]))
    expected = torch.where(torch.tensor([True, True, False]), (fooled + wrong) / 2, fooled)
    torch.testing.assert_close(losses, expected)
    alone = Adversarial(logistic).critic_loss(passes, "xc", "critic_xc")["game"]
    torch.testing.assert_close(alone, fooled)
