"""Codes: the stop-gradient formula, probabilities that sum to 1, usage, coarse before fine."""

import itertools
import math

import pytest
import torch
from torch import nn

from core.densities import codebook
from core.densities.codebook import CodePrior, TwoLevelCodePrior, perplexity, positions_of
from core.networks.hierarchy import HierarchicalDelta
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks
from core.training.step import Optimisation, TrainState, learner_step, step

X = torch.tensor([[0.3, -1.2], [2.0, 0.4], [-0.7, 0.9]])


class Linear(nn.Module):
    """Encoder and decoder: a matrix."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0.5], [-0.3, 0.8]]))

    def forward(self, value: torch.Tensor, c: torch.Tensor | None = None) -> Delta:
        return Delta(value @ self.weight)


class TwoLevelLinear(nn.Module):
    """An encoder with z_1 = w_1 x and z_2 = w_2 x + 0.6 z_1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0.5], [-0.3, 0.8]]))

    def forward(self, value: torch.Tensor, c: torch.Tensor | None = None) -> HierarchicalDelta:
        top, rest = (value @ self.weight).split(1, 1)
        return HierarchicalDelta(top, lambda given: rest + 0.6 * given)


@pytest.fixture(autouse=True)
def three_codes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codebook, "CODES", 3)


def one_level(latent: int = 2, condition: int = 0) -> CodePrior:
    torch.manual_seed(0)
    prior = CodePrior(latent, condition)
    prior.initialised.fill_(1)
    return prior.eval()


def two_levels(latent: int = 2, condition: int = 0) -> TwoLevelCodePrior:
    torch.manual_seed(0)
    prior = TwoLevelCodePrior(latent, condition)
    for level in (prior.top, prior.bottom):
        level.initialised.fill_(1)
    return prior.eval()


def all_codes(prior: CodePrior) -> torch.Tensor:
    """Every latent vector that a level can sample, [3^position latent]."""
    every = torch.tensor(list(itertools.product(range(3), repeat=prior.positions)))
    return prior.codebook[every].flatten(1).detach()


def nearest(codes: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The code nearest to each number of z [batch number], codes [code 1]."""
    return codes[(z[:, :, None] - codes[:, 0]).abs().argmin(2), 0]


def state_of(recipe: str, encoder: nn.Module, prior: nn.Module) -> TrainState:
    networks = Networks({"encoder": encoder, "decoder": Linear(), "prior": prior})
    frozen = Optimisation(learning_rate=1e-12)
    return TrainState(networks, RECIPES[recipe], frozen, frozen)


def leaf(parameter: torch.Tensor) -> torch.Tensor:
    return parameter.detach().clone().requires_grad_()


def test_the_gradients_are_those_of_the_stop_gradient_formula():
    """|x - d(z + sg(e - z))|^2 / 2 + |sg(z) - e|^2 + 0.25 |z - sg(e)|^2, van den Oord, eq. 3."""
    networks = (state := state_of("vq_vae", Linear(), one_level())).networks
    names = ("encoder.weight", "decoder.weight", "prior.codebook")
    encoder, decoder, codes = (leaf(networks.get_parameter(name)) for name in names)
    learner_step(state, Batch(X))
    z = X @ encoder
    e = nearest(codes, z)
    decoded = (z + (e - z).detach()) @ decoder
    loss = 0.5 * (X - decoded).square().sum(1)
    loss = loss + (z.detach() - e).square().sum(1) + 0.25 * (z - e.detach()).square().sum(1)
    expected = torch.autograd.grad(loss.mean(), [encoder, decoder, codes])
    for name, textbook in zip(names, expected, strict=True):
        torch.testing.assert_close(networks.get_parameter(name).grad, textbook)


def test_two_levels_have_the_gradients_of_the_formula_of_both():
    """The same sums over e_1 of z_1 and e_2 of z_2, z_2 encoded given z_1 + sg(e_1 - z_1)."""
    networks = (state := state_of("vq_vae_2", TwoLevelLinear(), two_levels())).networks
    names = ("encoder.weight", "decoder.weight", "prior.top.codebook", "prior.bottom.codebook")
    encoder, decoder, coarse, fine = (leaf(networks.get_parameter(name)) for name in names)
    learner_step(state, Batch(X))
    z_1, rest = (X @ encoder).split(1, 1)
    e_1 = nearest(coarse, z_1)
    z_2 = rest + 0.6 * (z_1 + (e_1 - z_1).detach())
    e_2 = nearest(fine, z_2)
    z, e = torch.cat([z_1, z_2], 1), torch.cat([e_1, e_2], 1)
    decoded = (z + (e - z).detach()) @ decoder
    loss = 0.5 * (X - decoded).square().sum(1)
    loss = loss + (z.detach() - e).square().sum(1) + 0.25 * (z - e.detach()).square().sum(1)
    expected = torch.autograd.grad(loss.mean(), [encoder, decoder, coarse, fine])
    for name, textbook in zip(names, expected, strict=True):
        torch.testing.assert_close(networks.get_parameter(name).grad, textbook)


def test_the_bottom_is_encoded_given_the_quantised_top():
    """z_1 = 0.9 lies at the code 1.5, so that z_2 = 0.2 + 0.6 * 1.5 = 1.1 lies at 1.25.

    Given z_1 itself it would be 0.74, at the code 0.7.
    """
    prior = two_levels()
    prior.top.codebook.data = torch.tensor([[-2.0], [0.0], [1.5]])
    prior.bottom.codebook.data = torch.tensor([[0.1], [0.7], [1.25]])
    posterior = HierarchicalDelta(
        torch.tensor([[0.9], [0.5]]), lambda top: torch.tensor([[0.2], [0.2]]) + 0.6 * top
    )
    z = prior(2).encode(posterior)
    torch.testing.assert_close(z, torch.tensor([[1.5, 1.25], [0.0, 0.1]]))
    gaps = [0.6**2 + (1.1 - 1.25) ** 2, 0.5**2 + 0.1**2]
    torch.testing.assert_close(prior(2).gap(posterior), torch.tensor(gaps))


def test_an_encoders_bottom_level_reads_the_top_code_and_the_features():
    torch.manual_seed(0)
    posterior = ring.Encoder(HierarchicalDelta)(X)
    assert isinstance(posterior, HierarchicalDelta)
    one, other = (posterior.bottom(torch.full((3, 1), top)) for top in (-1.0, 2.0))
    assert (one - other).abs().min() > 1e-4
    assert (one[0] - one[1]).abs().min() > 1e-3
    torch.testing.assert_close(posterior.mean[:, 1:], posterior.bottom(posterior.mean[:, :1]))


@pytest.mark.parametrize(
    ("recipe", "encoder", "prior", "levels"),
    [("vq_vae", Linear, one_level, 1), ("vq_vae_2", TwoLevelLinear, two_levels, 2)],
)
def test_the_likelihood_of_codes_moves_neither_codebook_nor_encoder(
    recipe, encoder, prior, levels
):
    networks = Networks({"encoder": encoder(), "prior": prior()})
    passes = RECIPES[recipe].passes(networks, Batch(X))
    RECIPES[recipe].terms[-1](passes).sum().backward()
    moved = {
        name
        for name, parameter in networks.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    assert not [name for name in moved if name.endswith("codebook") or "encoder" in name]
    assert len([name for name in moved if name.endswith("logits.weight")]) == levels


@pytest.mark.parametrize("latent", [2, 12])
def test_probabilities_of_all_codes_sum_to_1(latent: int):
    prior = one_level(latent, condition=2)
    z = all_codes(prior)
    c = torch.tensor([[0.5, -1.0]]).expand(len(z), -1)
    assert prior(len(z), c).log_prob(z).exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(prior(len(z), -c).log_prob(z), prior(len(z), c).log_prob(z))


def test_probabilities_of_all_pairs_of_levels_sum_to_1_and_factorise_top_down():
    """z = [2 codes of 1 number, 2 codes of 4 numbers], 3^4 of them."""
    prior = two_levels(10, condition=2)
    with torch.no_grad():
        prior.bottom.logits.weight.mul_(4)
    tops, bottoms = all_codes(prior.top), all_codes(prior.bottom)
    z = torch.cat([tops.repeat_interleave(9, 0), bottoms.repeat(9, 1)], 1)
    c = torch.tensor([[0.5, -1.0]])
    joint = prior(81, c.expand(81, -1)).log_prob(z).exp().view(9, 9)  # [top bottom]
    assert joint.sum().item() == pytest.approx(1, abs=1e-5)
    marginal = prior.top(9, c.expand(9, -1)).log_prob(tops).exp()
    torch.testing.assert_close(joint.sum(1), marginal)
    conditional = joint / joint.sum(1, keepdim=True)
    assert (conditional[0] - conditional[8]).abs().max() > 0.01
    moved = prior(81, -c.expand(81, -1)).log_prob(z).exp().view(9, 9)
    assert (moved / moved.sum(1, keepdim=True) - conditional).abs().max() > 1e-3


@pytest.mark.parametrize("prior", [one_level, two_levels])
def test_samples_have_their_probabilities(prior):
    built = prior(2)
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if name.endswith("logits.weight"):
                parameter.mul_(4)
        levels = [built, built] if prior is one_level else [built.top, built.bottom]
        values = [level.codebook[:, 0] for level in levels]
        every = torch.cartesian_prod(*values)
        expected = built(9).log_prob(every).exp()
        torch.manual_seed(1)
        samples = built(20_000).rsample()
    counts = (samples[:, None] == every).all(2).float().mean(0)
    torch.testing.assert_close(counts, expected, atol=0.012, rtol=0)
    assert expected.max() > 1.5 * expected.min()


@torch.no_grad()
def test_a_decoded_index_is_the_likeliest_given_the_indices_before_it():
    """Three positions, each read from the one before: after 0 comes 2, after 2 comes 1."""
    prior = one_level(12)
    prior.position.zero_()
    prior.start.bias.zero_()
    prior.transformer.forward = lambda hidden, caches=None: hidden  # type: ignore[method-assign]
    prior.embedding.weight.zero_()
    prior.embedding.weight[:, :3] = torch.eye(3)
    prior.logits.bias.copy_(torch.tensor([0.5, 0.0, 0.0]))
    follows = torch.tensor([[0.0, 0, 9], [9, 0, 0], [0, 9, 0]])  # [index next]
    prior.logits.weight.zero_()
    prior.logits.weight[:, :3] = follows.T
    expected = prior.codebook[torch.tensor([[0, 2, 1]])].flatten(1)
    assert torch.equal(prior(1).representative, expected)


@torch.no_grad()
def test_the_likeliest_codes_of_the_fine_level_are_those_given_the_coarse_ones():
    torch.manual_seed(2)
    prior = TwoLevelCodePrior(8)
    for level in (prior.top, prior.bottom):
        level.logits.weight.mul_(20)
    top, bottom = prior(3).representative.tensor_split([prior.coarse], 1)
    assert torch.equal(top, prior.top(3).representative)
    assert torch.equal(bottom, prior.bottom(3, top).representative)
    assert not torch.equal(bottom, prior.bottom(3, -top).representative)


def test_the_coarse_level_has_fewer_codes():
    prior = TwoLevelCodePrior(64)
    assert (prior.top.positions, prior.bottom.positions) == (4, 12)
    assert [positions_of(n) for n in (1, 2, 7, 9, 18, 64)] == [1, 2, 1, 1, 3, 16]


def test_unused_codes_restart_among_what_is_encoded():
    prior = one_level().train()
    with torch.no_grad():
        prior.codebook.copy_(torch.tensor([[0.0], [1.0], [50.0]]))
    z = torch.tensor([[0.1, 0.9], [0.2, 1.1]])
    for _ in range(400):
        prior(2).nearest(z)
    assert prior.codebook.max() < 2
    assert (prior.usage >= codebook.LEAST_USAGE).all()


def test_an_unused_code_restarts_with_the_usage_of_a_new_one():
    prior = one_level()
    with torch.no_grad():
        prior.codebook.copy_(torch.tensor([[0.0], [1.0], [50.0]]))
    prior.usage.copy_(torch.tensor([1.0, 1.0, 0.1]))
    prior.count(torch.tensor([[[0.1], [0.9]]]))
    assert prior.usage[2] == 1
    assert prior.codebook[2].item() in (pytest.approx(0.1), pytest.approx(0.9))
    torch.testing.assert_close(prior.codebook[:2], torch.tensor([[0.0], [1.0]]))


def test_the_first_batch_initialises_the_codebook_and_evaluation_leaves_it():
    torch.manual_seed(0)
    prior = CodePrior(2)
    z = 5 + torch.rand(20, 2)
    before = prior.codebook.clone()
    prior.eval()(20).nearest(z)
    assert torch.equal(prior.codebook, before)
    prior.train()(20).nearest(z)
    chosen = set(prior.codebook.flatten().tolist())
    assert chosen <= set(z.flatten().tolist())
    assert len(chosen) == 3
    assert prior.initialised == 1


def test_a_frozen_codebook_stays_as_it_is():
    prior = one_level().train().requires_grad_(False)
    prior.initialised.fill_(0)
    prior.usage.fill_(0.05)
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    prior(20).nearest(5 + torch.rand(20, 2))
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())


def test_no_code_moves_to_a_vector_that_is_not_finite():
    """Codes 1 and 2 are unused; half of the vectors are finite, all of these are 4."""
    torch.manual_seed(0)
    prior = one_level()
    with torch.no_grad():
        prior.codebook.copy_(torch.tensor([[4.0], [1.0], [2.0]]))
    prior.usage[1:] = 0
    for value in (math.nan, math.inf):
        for _ in range(20):
            prior.count(torch.tensor([[[4.0], [value]]]))
    assert prior.codebook.flatten().tolist() == [4, 4, 4]


@pytest.mark.parametrize("prior", [one_level, two_levels])
def test_the_likelihood_is_that_of_the_nearest_codes(prior):
    built = prior(2)
    z = torch.tensor([[0.4, -0.8], [5.0, 5.0], [-1.1, 0.2]])
    codes = built(3).encode(HierarchicalDelta(z[:, :1], lambda top: z[:, 1:]))
    assert (codes - z).abs().min() > 1e-3
    torch.testing.assert_close(built(3).log_prob(z), built(3).log_prob(codes))


def test_usage_is_an_average_of_frequencies():
    """Codes 0, 1, 0, 0 of four positions: frequencies 3/4, 1/4 and 0, times 3 codes."""
    prior = one_level()
    with torch.no_grad():
        prior.codebook.copy_(torch.tensor([[0.0], [1.0], [50.0]]))
    prior.count(torch.tensor([[[0.1], [0.9]], [[0.2], [-3.0]]]))
    expected = [0.99 + 0.01 * 2.25, 0.99 + 0.01 * 0.75, 0.99]
    torch.testing.assert_close(prior.usage, torch.tensor(expected))


def test_perplexity_counts_codes_in_use():
    assert perplexity(torch.tensor([2.0, 2, 2, 2])) == pytest.approx(4)
    assert perplexity(torch.tensor([0.0, 9, 0, 0])) == pytest.approx(1)
    assert perplexity(torch.tensor([3.0, 1, 0, 0])) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )


@pytest.mark.parametrize(
    ("name", "facts"),
    [("vq_vae", ["perplexity"]), ("vq_vae_2", ["perplexity_top", "perplexity_bottom"])],
)
def test_training_logs_the_perplexity_of_each_level(name: str, facts: list[str]):
    torch.manual_seed(0)
    recipe = RECIPES[name]
    state = TrainState(ring.networks(recipe), recipe, Optimisation(), Optimisation())
    logged = step(state, ring.batches(recipe), 0, seed=0)
    found = {k: v for k, v in logged.items() if "perplexity" in k}
    assert set(found) == {f"prior_{fact}" for fact in facts}
    assert all(1 <= value <= codebook.CODES for value in found.values())
