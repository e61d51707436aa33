"""Losses of games and their critics by hand, on scores without any symmetry."""

import math

import pytest
import torch
from torch import Tensor, nn

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
from core.theory.distributions import Delta
from core.theory.divergences import MMD, Features, kl, mmd
from core.theory.passes import Batch, Networks, Passes

BY_HAND: dict[Game, float] = {
    logistic: math.log(1 + math.exp(-0.3)) + math.log(1 + math.exp(-1.2)),
    least_squares: 0.5 * (0.7**2 + 1.2**2),
    wasserstein: -1.2 - 0.3,
    hinge: 0.7 + 0.0,
}


@pytest.mark.parametrize("game", BY_HAND)
def test_the_critics_loss(game: Game):
    """Scores 0.3 of data and -1.2 of what is generated."""
    loss = game(torch.tensor([0.3]), torch.tensor([-1.2]))
    assert loss.item() == pytest.approx(BY_HAND[game], rel=1e-5)


def test_hinge_counts_no_score_beyond_its_margin():
    assert hinge(torch.tensor([1.5]), torch.tensor([-0.25])).item() == pytest.approx(0.75)
    assert hinge(torch.tensor([0.5]), torch.tensor([-3.0])).item() == pytest.approx(0.5)


def test_penalties_weigh_what_their_papers_say_where_nothing_else_is_said():
    """lambda = 10 (Gulrajani et al. 2017); gamma / 2 (Mescheder et al. 2018, eq. 9)."""
    x = torch.zeros(1, 1)
    assert GradientPenalty()(lambda x: 3 * x.squeeze(1), (x,), (x,)).item() == pytest.approx(40)
    assert R1(weight=4.0)(lambda x: 3 * x.squeeze(1), (x,), (x,)).item() == pytest.approx(18)
    assert (GradientPenalty.name, R1.name) == ("penalty", "r1")


class Thrice(nn.Module):
    """A critic with score 3 x and features (x, x^2)."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(3.0))

    def features(self, x: Tensor) -> Tensor:
        return torch.cat([x, x**2], 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.slope * x).squeeze(1)


class Placed(Passes):
    """Data at 1 and 2, generated samples at 0 and -1, which have a gradient."""

    def __init__(self) -> None:
        super().__init__(Networks({"critic_x": Thrice()}), Batch(torch.tensor([[1.0], [2.0]])))
        self.generated = torch.tensor([[0.0], [-1.0]], requires_grad=True)

    def produced(self, space):
        return (1.0 * self.generated,)


def test_the_critics_losses_carry_their_names_and_no_gradient_to_the_samples():
    passes = Placed()
    game = Adversarial(wasserstein, penalties=(GradientPenalty(0.5), R1(2.0)))
    losses = game.critic_loss(passes, "x", "critic_x")
    assert {name: loss.tolist() for name, loss in losses.items()} == {
        "game": [-3.0, -9.0],
        "penalty": pytest.approx([2.0, 2.0]),
        "r1": pytest.approx([9.0, 9.0]),
    }
    torch.stack(list(losses.values())).sum().backward()
    assert passes.generated.grad is None
    slope = passes.networks["critic_x"].get_parameter("slope").grad
    assert slope is not None and slope.item() == pytest.approx(-4.0 + 2 * 2.0 + 2 * 2.0 * 3.0)


def test_features_are_matched_with_a_gradient_to_the_samples_alone():
    """Means (1.5, 2.5) of data and (-0.5, 0.5): 4 + 4, slope 2 (-2, -2) (1, 2 x) / 2 at x."""
    passes = Placed()
    loss = Features()(passes, "x", "critic_x")
    loss.backward()
    assert loss.item() == pytest.approx(8.0)
    assert passes.generated.grad is not None
    assert passes.generated.grad.tolist() == [[-2.0], [2.0]]


class Spread(Passes):
    """Data at 0, 3 and 4, of which the kernel takes its scale, generated samples at 0 and 2."""

    def produced(self, space):
        return (torch.tensor([[0.0], [2.0]]),)


def test_mmd_takes_its_scale_from_the_data():
    passes = Spread(Networks({}), Batch(torch.tensor([[0.0], [3.0], [4.0]])))
    (generated,) = passes.produced("x")
    given = MMD()(passes, "x", "critic_x").item()
    assert given == pytest.approx(mmd(generated, passes.x).item())
    assert given != pytest.approx(mmd(passes.x, generated).item(), abs=1e-3)


def test_of_two_points_the_divergence_is_the_distance_from_the_prior_alone():
    """Half the squared distance in units of the prior's spread: (3 / 2)^2 / 2."""
    z = torch.tensor([[4.0]])
    assert kl(Delta(z), Delta(torch.tensor([[1.0]]), std=2.0), z).item() == pytest.approx(1.125)


class Three(nn.Module):
    """A prior of 3 alone."""

    def forward(self, batch, c=None):
        return Delta(torch.full((batch, 1), 3.0))


class Doubling(nn.Module):
    """A decoder to 2 z that keeps how many it decoded."""

    def forward(self, z, c=None):
        self.decoded = len(z)
        return Delta(2 * z)


@pytest.mark.parametrize(("share", "played"), [(1.0, 5), (0.4, 2), (0.5, 3)])
def test_a_game_of_a_share_generates_no_more(share, played):
    """The critic pays 3 (6 - x) for the first of 1 to 5."""
    networks = Networks({"decoder": Doubling(), "prior": Three(), "critic_x": Thrice()})
    passes = Passes(networks, Batch(torch.arange(1.0, 6.0)[:, None]))
    game = Adversarial(wasserstein, played=share)
    paid = [15.0, 12.0, 9.0, 6.0, 3.0][:played]
    assert game.critic_loss(passes, "x", "critic_x")["game"].tolist() == paid
    assert game(passes, "x", "critic_x").tolist() == [-loss for loss in paid]
    assert networks["decoder"].decoded == played


@pytest.mark.parametrize(("share", "penalised"), [(1.0, 2), (0.5, 1), (0.3, 1)])
def test_a_penalty_is_computed_on_the_first_share_of_a_batch(share, penalised):
    """The critic's slope is 3: R1 is 9 for each sample."""
    game = Adversarial(wasserstein, penalties=(R1(2.0),), penalised=share)
    losses = game.critic_loss(Placed(), "x", "critic_x")
    assert losses["r1"].tolist() == pytest.approx([9.0] * penalised)
    assert len(losses["game"]) == 2
