"""Densities of finitely many levels: by hand, by the Jacobian, as sums over all states."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from core.densities.dequantisation import Dequantised, Levels, from_logits, to_logits
from core.densities.flow import ActNorm, Chain, Flow
from core.densities.map_flow import Flatten, glow_maps, realnvp_maps
from core.recipes import RECIPES
from core.theory.distributions import Distribution
from core.theory.passes import Batch, Networks
from core.training.optimisation import Optimisation
from core.training.step import TrainState, step

FLOWS = {"realnvp": realnvp_maps, "glow": glow_maps}
BINARY, BYTES = Levels(2, 0.0, 1.0), Levels(256, -1.0, 1.0)


def identity(*shape: int) -> Flow:
    """The flow that is N(0, I): an actnorm that has seen no batch."""
    return Flow(math.prod(shape), Chain([ActNorm(shape[0]), Flatten(shape)])).eval()


def perturb(module: nn.Module, by: float) -> None:
    """Move the weights away from the identity, at which a flow is initialised."""
    for parameter in module.parameters():
        parameter.data += by * torch.randn_like(parameter)


def test_the_logit_by_hand():
    """v = 3/4: s = 0.05 + 0.9 * 3/4 = 0.725, y = log(0.725 / 0.275), dy/dv = 0.9 / (s (1 - s))."""
    y, log_slope = to_logits(torch.tensor([[0.75, 0.75], [0.0, 1.0]]))
    assert y[0, 0].item() == pytest.approx(0.969401, abs=1e-5)
    assert log_slope[0].item() == pytest.approx(2 * math.log(0.9 / (0.725 * 0.275)), abs=1e-5)
    assert y[1].tolist() == pytest.approx([-math.log(19), math.log(19)], abs=1e-5)
    torch.testing.assert_close(from_logits(y), torch.tensor([[0.75, 0.75], [0.0, 1.0]]))


def test_levels_are_filled_uniformly_and_are_the_nearest_of_what_fills_them():
    torch.manual_seed(0)
    x = torch.tensor([-1.0, -0.2, 1.0]).expand(4000, 3)  # levels 0, 102 and 255 of 256
    v = BYTES.fill(x)
    low = torch.tensor([0.0, 102, 255]) / 256
    assert (v >= low).all()
    assert (v <= low + 1 / 256).all()
    within = (v - low) * 256
    torch.testing.assert_close(within.mean(0), torch.full((3,), 0.5), atol=0.03, rtol=0)
    torch.testing.assert_close(within.var(0), torch.full((3,), 1 / 12), atol=0.01, rtol=0)
    torch.testing.assert_close(BYTES.nearest(v), x)
    outside = BYTES.nearest(torch.tensor([[-0.01, 1.0, 1.05]]))
    assert outside.tolist() == [[-1.0, 1.0, 1.0]]


def test_the_probabilities_of_all_states_sum_to_what_the_normal_has_within_the_margins():
    """Two cells: each state's mean over the noise is its probability, here by hand."""
    torch.manual_seed(0)
    density = Dequantised(identity(1, 2), BINARY)
    states = torch.tensor([[[0.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
    many = states.repeat_interleave(20_000, 0)
    probability = density(len(many)).log_prob(many).exp().unflatten(0, (4, -1)).mean(1)
    half = Normal(0, 1).cdf(torch.tensor(math.log(19))).item() - 0.5  # logit(0.95) = log 19
    assert probability.tolist() == pytest.approx([half**2] * 4, rel=0.02)
    assert probability.sum().item() == pytest.approx(0.9935, abs=0.01)


@pytest.mark.parametrize("name", FLOWS)
def test_states_are_sampled_as_often_as_they_are_likely(name: str):
    """Apart from what the flow samples in a margin, which `log_prob` does not count."""
    torch.manual_seed(0)
    density = Dequantised(FLOWS[name]((1, 2), width=8), BINARY).eval()
    perturb(density, by=0.15)
    states = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))[:, None]
    many = states.repeat_interleave(20_000, 0)
    with torch.no_grad():
        probability = density(len(many)).log_prob(many).exp().unflatten(0, (4, -1)).mean(1)
        v = from_logits(density.flow(40_000).rsample())
    inside = ((v >= 0) & (v < 1)).flatten(1).all(1)
    sampled = (BINARY.nearest(v)[:, None] == states).flatten(2).all(2)
    frequency = (sampled & inside[:, None]).float().mean(0)
    torch.testing.assert_close(frequency, probability, atol=0.01, rtol=0)
    assert probability.max() > 1.5 * probability.min()
    assert 0.5 < probability.sum().item() < 1


@pytest.mark.parametrize("name", FLOWS)
def test_the_volume_of_dequantisation_and_flow_is_the_jacobians(name: str):
    torch.manual_seed(0)
    shape = (2, 2, 4)
    flow = FLOWS[name](shape, 3, width=8).double().eval()
    perturb(flow, by=0.1)
    v, c = torch.rand(shape).double(), torch.randn(1, 3).double()

    def latent(v: torch.Tensor) -> torch.Tensor:
        return flow.bijection(to_logits(v[None])[0], c)[0][0]

    jacobian = torch.autograd.functional.jacobian(latent, v)
    assert isinstance(jacobian, torch.Tensor)
    volume = torch.linalg.slogdet(jacobian.flatten(1)).logabsdet
    y, log_slope = to_logits(v[None])
    base = Normal(0.0, 1.0).log_prob(latent(v)).sum()
    log_prob = flow(1, c).log_prob(y) + log_slope
    assert log_prob.item() == pytest.approx((base + volume).item(), abs=1e-3)


class UniformLogits(Distribution):
    """p(y) of a uniform v."""

    @property
    def representative(self):
        return torch.zeros(1, 3, 4)

    def rsample(self):
        return to_logits(torch.rand(1, 3, 4))[0]

    def log_prob(self, value):
        s = torch.sigmoid(value)
        return (s * (1 - s) / 0.9).log().flatten(1).sum(1)


def test_the_bound_is_in_nats_of_the_levels_and_is_reported_in_bits(monkeypatch):
    """A uniform p(v): nothing is known of x, which costs 8 bits a number."""
    density = Dequantised(identity(3, 4), BYTES)
    monkeypatch.setattr(density.flow, "forward", lambda batch, c=None: UniformLogits())
    assert math.isnan(density.facts()["bits_per_dimension"])
    x = BYTES.nearest(torch.rand(5, 3, 4))
    nats = -density(5).log_prob(x)
    assert nats.tolist() == pytest.approx([12 * math.log(256)] * 5, rel=1e-5)
    assert density.facts()["bits_per_dimension"] == pytest.approx(8, rel=1e-5)


@pytest.mark.parametrize("name", FLOWS)
def test_samples_are_levels(name: str):
    torch.manual_seed(0)
    density = Dequantised(FLOWS[name]((3, 4, 4), width=8), BYTES)
    for x in (density(7).rsample(), density(7).representative):
        assert x.shape == (7, 3, 4, 4)
        assert x.abs().max() <= 1
        level = (x + 1) * 127.5
        torch.testing.assert_close(level, level.round(), atol=1e-3, rtol=0)


def stripes(number: int, size: int = 32) -> Batch:
    """Maps of one of two patterns, which are complements: each cell alone is a fair coin."""
    generator = torch.Generator().manual_seed(number)
    pattern = (torch.arange(4)[:, None] + torch.arange(4) // 2) % 2
    flipped = torch.randint(2, (size, 1, 1, 1), generator=generator)
    return Batch(((pattern + flipped) % 2).float())


@pytest.mark.parametrize("name", FLOWS)
def test_a_trained_flow_knows_more_than_independent_cells(name: str):
    """Cells alone cost 16 log 2 nats; the pattern itself costs log 2.

    An actnorm's first batch alone saves Glow a quarter of these nats, so that half is asked for.
    """
    torch.manual_seed(0)
    density = Dequantised(FLOWS[name]((1, 4, 4), width=16), BINARY)
    independent = 16 * math.log(2)
    assert -density.eval()(32).log_prob(stripes(0).x).mean() > independent
    rate = Optimisation(learning_rate=1e-2)
    state = TrainState(Networks({"density": density.train()}), RECIPES[name], rate, rate)
    losses = [step(state, stripes, number, seed=0)["match_x"] for number in range(36)]
    assert losses[0] > independent / 2
    assert sum(losses[-10:]) / 10 < independent / 2


@pytest.mark.parametrize("name", FLOWS)
def test_half_precision_keeps_the_density_of_x(name: str):
    """Networks are computed in bfloat16, the maps between x and the base distribution are not."""
    torch.manual_seed(0)
    density = Dequantised(FLOWS[name]((2, 4, 4), width=8), BYTES).eval()
    x = BYTES.nearest(torch.rand(4, 2, 4, 4))
    torch.manual_seed(1)
    expected = density(4).log_prob(x)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        found = density(4).log_prob(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
