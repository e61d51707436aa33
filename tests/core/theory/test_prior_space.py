"""The space "prior": the prior is trained, and the latents of data are its reference."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.adversarial import R1, Adversarial, logistic
from core.theory.distributions import Delta, Distribution
from core.theory.divergences import Cover, Features
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import Match


class Encoder(nn.Linear):
    def forward(self, x: Tensor, c: Tensor | None = None) -> Distribution:  # type: ignore[override]
        return Delta(super().forward(x))


class Prior(nn.Module):
    """z = shift + fixed noise."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([0.5, -1.0]))

    def forward(self, batch: int, c: Tensor | None = None) -> Distribution:
        return Delta(self.shift + torch.arange(2.0 * batch).view(batch, 2) / 10)


class Outlining(nn.Module):
    def outline(self, z: Tensor, c: Tensor | None) -> Tensor:
        return 2 * z


class Critic(nn.Module):
    """Score a . z + b . outline, whose features are z."""

    width = 2

    def __init__(self, inputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 0.25][:inputs]))

    def features(self, *point: Tensor) -> Tensor:
        return point[0]

    def augment(self, x: Tensor) -> Tensor:
        return x

    def features_and_scores(self, *point: Tensor) -> tuple[Tensor, Tensor]:
        return point[0], self(*point)

    def forward(self, *point: Tensor) -> Tensor:
        return torch.cat(point, 1) @ self.weight


def passes(outlining: bool = False) -> Passes:
    torch.manual_seed(0)
    networks = {
        "encoder": Encoder(3, 2),
        "decoder": Outlining() if outlining else nn.Identity(),
        "prior": Prior(),
        "critic_prior": Critic(4 if outlining else 2),
    }
    return Passes(Networks(networks), Batch(torch.randn(4, 3)))


def parts_of(one: Passes) -> tuple[Prior, Critic]:
    prior, critic = one.networks["prior"], one.networks["critic_prior"]
    assert isinstance(prior, Prior) and isinstance(critic, Critic)
    return prior, critic


def gradient(one: Passes) -> Tensor:
    """Return the gradient of the prior's shift."""
    shift = parts_of(one)[0].shift
    assert shift.grad is not None
    return shift.grad


TERM = Match("prior", Adversarial(logistic), trains=("prior",))


def test_data_are_the_reference_and_the_prior_is_produced():
    one = passes()
    assert torch.equal(one.reference("prior")[0], one.posterior_sample)
    assert torch.equal(one.produced("prior")[0], one.prior_sample)
    assert torch.equal(one.reference("z")[0], one.produced("prior")[0])
    assert TERM.name == "match_prior" and TERM.critic_name == "critic_prior"
    assert set(TERM.networks) == {"encoder", "decoder", "prior", "critic_prior"}


def test_the_prior_gets_the_textbook_gradient_of_a_generator():
    """That of -log D(z), z of the prior: mean of -(1 - D) times the critic's weights."""
    one = passes()
    TERM(one).mean().backward()
    critic = parts_of(one)[1]
    score = one.prior_sample.detach() @ critic.weight.detach()
    expected = (-(1 - score.sigmoid())[:, None] * critic.weight.detach()).mean(0)
    assert torch.allclose(gradient(one), expected, atol=1e-6)


def test_the_critic_calls_data_real_and_r1_is_at_data():
    one = passes()
    game = Adversarial(logistic, penalties=(R1(2.0),))
    losses = game.critic_loss(one, "prior", "critic_prior")
    critic = parts_of(one)[1]
    real, fake = critic(one.posterior_sample), critic(one.prior_sample)
    assert torch.allclose(losses["game"], F.softplus(-real) + F.softplus(fake))
    assert torch.allclose(losses["r1"], critic.weight.square().sum().expand(4))


def test_feature_matching_moves_the_prior_towards_the_mean_of_data():
    one = passes()
    Match("prior", Features(), trains=("prior",))(one).backward()
    gap = one.prior_sample.mean(0) - one.posterior_sample.mean(0)
    assert torch.allclose(gradient(one), 2 * gap.detach(), atol=1e-6)
    assert one.networks["encoder"].weight.grad is None


class Twice(nn.Module):
    """Two samples of each of two conditions: (c, c) and then (c + 3, c + 3)."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2))

    def forward(self, batch: int, c: Tensor) -> Distribution:
        return Delta(c + 3 * (torch.arange(batch) // 2)[:, None] + self.shift)


def test_each_datum_is_covered_by_its_nearest_sample_and_draws_that_one_alone():
    """z is (0, 2) and (5, 4); samples are (0, 0), (3, 3) and (1, 1), (4, 4), each of a condition.

    The nearest are the first and the last: (0 + 4) / 2 and (1 + 0) / 2.
    """
    encoder, prior = Encoder(2, 2), Twice()
    nn.init.eye_(encoder.weight)
    nn.init.zeros_(encoder.bias)
    x, c = torch.tensor([[0.0, 2.0], [5.0, 4.0]]), torch.tensor([[0.0], [1.0]])
    one = Passes(Networks({"encoder": encoder, "prior": prior}), Batch(x, c))
    loss = Match("prior", Cover(2), trains=("prior",))(one)
    assert loss.tolist() == [2.0, 0.5]
    loss.sum().backward()
    assert prior.shift.grad is not None
    assert prior.shift.grad.tolist() == [-1.0, -2.0]
    assert encoder.weight.grad is None


def test_a_decoders_outline_is_seen_beside_the_latents():
    """d score / d shift = weights of z + 2 * weights of the outline 2 z."""
    one = passes(outlining=True)
    z, outline = one.produced("prior")
    assert torch.equal(outline, 2 * z)
    one.score("critic_prior", (z, outline)).sum().backward()
    expected = 4 * torch.tensor([1.0 + 2 * 0.5, -2.0 + 2 * 0.25])
    assert torch.allclose(gradient(one), expected)


class Conditional(nn.Module):
    """Score a . z + c."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return z.sum(1) + c


def test_beside_its_condition_the_prior_is_compared_with_data_of_the_same():
    one = passes()
    one.condition = torch.arange(4)
    game = Match("prior_c", Adversarial(logistic), trains=("prior",))
    assert game.name == "match_prior_c" and game.critic_name == "critic_prior_c"
    assert set(game.networks) == {"encoder", "prior", "critic_prior_c"}
    assert game.needs == {"condition"}
    for point in (one.reference("prior_c"), one.produced("prior_c")):
        assert torch.equal(point[1], torch.arange(4))
    assert torch.equal(one.reference("prior_c")[0], one.posterior_sample)
    assert not one.reference("prior_c")[0].requires_grad
    one.networks["critic_prior_c"] = Conditional()
    game(one).sum().backward()
    score = one.prior_sample.detach().sum(1) + torch.arange(4)
    expected = -(1 - score.sigmoid()).sum().expand(2)
    torch.testing.assert_close(gradient(one), expected)
    one.condition = None
    with pytest.raises(ValueError, match="space 'prior_c' needs a condition"):
        one.reference("prior_c")
