"""InfoGAN's code and noise: what is drawn, what Q says of it, and where its gradient goes."""

import math

import pytest
import torch
from torch import nn

from core.networks.codes import CodeHead, LatentCodePrior
from core.recipes import RECIPES
from core.theory.codes import CodePosterior, CodeSizes, LatentCode
from core.theory.distributions import Categorical, Delta, Gaussian
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import MutualInformation

SIZES = CodeSizes(categories=3, continuous=2, noise=1)
Z = torch.tensor([[0.0, 1.0, 0.0, 0.5, -0.5, 2.0]])


def test_the_density_of_a_code_by_hand():
    """log 1/3, two times log 1/2, and log N(2; 0, 1)."""
    prior = LatentCode(SIZES, 1, torch.device("cpu"))
    expected = -math.log(3) - 2 * math.log(2) - 2 - 0.5 * math.log(2 * math.pi)
    assert prior.log_prob(Z).item() == pytest.approx(expected, rel=1e-6)


def test_codes_have_the_stated_distributions():
    torch.manual_seed(0)
    prior = LatentCodePrior(16)(20_000)
    category, continuous, noise = prior.sizes.split(prior.rsample())
    assert (category.shape[1], continuous.shape[1], noise.shape[1]) == (8, 2, 6)
    assert category.sum(1).eq(1).all()
    torch.testing.assert_close(category.mean(0), torch.full((8,), 1 / 8), atol=0.01, rtol=0)
    assert continuous.abs().max() <= 1
    assert continuous.var().item() == pytest.approx(1 / 3, rel=0.03)
    assert noise.var().item() == pytest.approx(1, rel=0.03)
    assert prior.representative[0].tolist() == [1 / 8] * 8 + [0] * 8


def posterior() -> CodePosterior:
    """Says the second category with probability 1/2, and N(0, 1) and N(1, e^2) of the numbers."""
    logits = torch.log(torch.tensor([[0.25, 0.5, 0.25]]))
    numbers = Gaussian(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]]))
    return CodePosterior(Categorical(logits), numbers, SIZES)


def test_a_posterior_reads_the_code_and_not_the_noise():
    read = posterior()
    assert read.log_prob_of("categorical", Z).item() == pytest.approx(math.log(0.5))
    numbers = -0.5 * 0.25 - 0.5 * (1.5 / math.e) ** 2 - 1 - math.log(2 * math.pi)
    assert read.log_prob_of("continuous", Z).item() == pytest.approx(numbers, rel=1e-6)
    other_noise = Z.clone()
    other_noise[:, 5] = -7
    assert read.log_prob(Z).item() == pytest.approx(math.log(0.5) + numbers, rel=1e-6)
    assert torch.equal(read.log_prob(Z), read.log_prob(other_noise))


def test_a_code_that_is_read_is_sampled_with_noise_of_the_prior():
    """Categories by their probabilities, numbers of means 0 and 1; nothing is known of noise."""
    read = posterior()
    assert read.representative[0].tolist() == pytest.approx([0.25, 0.5, 0.25, 0.0, 1.0, 0.0])
    torch.manual_seed(0)
    category, continuous, noise = SIZES.split(torch.cat([read.rsample() for _ in range(4000)]))
    assert category.mean(0).tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    assert continuous.mean(0).tolist() == pytest.approx([0.0, 1.0], abs=0.15)
    assert continuous.std(0).tolist() == pytest.approx([1.0, math.e], rel=0.05)
    assert (noise.mean().item(), noise.std().item()) == pytest.approx((0.0, 1.0), abs=0.05)


class Tripled(nn.Module):
    """p(x given z): three times z, at a point."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, z, c=None):
        return Delta(self.scale * z)


class Reader(nn.Module):
    """Q: a head on x itself."""

    def __init__(self):
        super().__init__()
        self.head = CodeHead(16, 16)

    def forward(self, x, c=None):
        return self.head(x)


@pytest.mark.parametrize("part", ["categorical", "continuous"])
def test_mutual_information_is_read_from_generated_x_and_reaches_decoder_and_q(part):
    torch.manual_seed(0)
    parts = Networks({"encoder": Reader(), "decoder": Tripled(), "prior": LatentCodePrior(16)})
    passes = Passes(parts, Batch(torch.zeros(5, 16)))
    loss = MutualInformation(part)(passes)
    said = parts["encoder"](3 * passes.prior_sample)
    torch.testing.assert_close(loss, -said.log_prob_of(part, passes.prior_sample))
    loss.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in parts.parameters())


def test_infogan_weighs_categories_1_and_numbers_a_tenth():
    """Chen et al. 2016, section 6: lambda = 1 for discrete codes and less for continuous ones."""
    lines = [(t.name, set(t.trains), t.weight) for t in RECIPES["infogan"].terms]
    both = {"encoder", "decoder"}
    assert lines == [
        ("match_x", {"decoder"}, 1.0),
        ("information_categorical", both, 1.0),
        ("information_continuous", both, 0.1),
    ]
