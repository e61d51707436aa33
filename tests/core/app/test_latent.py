"""Places in latent space: units, paths and sums as facts."""

import math

import pytest
import torch
from torch import Tensor, nn

from core.app.latent import LatentPoints, LatentSpace, arithmetic, concat, slerp, variations
from core.app.latent import standard_noise as noise
from core.densities.flow import realnvp
from core.errors import ConfigError, UserError
from core.theory.distributions import Delta, Gaussian
from core.theory.passes import Networks


class Shifted(nn.Module):
    """p(z given c) = N(10 c, 2^2), c [batch 2]."""

    def forward(self, batch: int, c: Tensor) -> Gaussian:
        return Gaussian(10 * c, torch.full_like(c, math.log(2)))


class Same(nn.Module):
    """Encoder or decoder: what is given, and the condition beside it."""

    def forward(self, given: Tensor, c: Tensor) -> Delta:
        return Delta(torch.cat([given, c], 1) if self.training else given)


class Whole(nn.Module):
    """An encoder that knows whole numbers alone."""

    def forward(self, given: Tensor, c: Tensor) -> Delta:
        return Delta(given.round())


SPACE = LatentSpace(Networks({"prior": Shifted(), "encoder": Same().eval(), "decoder": Same()}))
C = torch.tensor([[1.0, 0.0], [0.0, 3.0]])


def test_points_are_in_units_of_the_prior():
    x = torch.tensor([[12.0, 4.0], [2.0, 20.0]])
    points = SPACE.encode(x, C)
    assert points.u.tolist() == [[1, 2], [1, -5]]
    assert SPACE.decode(points).representative.tolist() == [[12, 4, 1, 0], [2, 20, 0, 3]]
    drawn = SPACE.draw(2, C, seed=3)
    assert torch.equal(drawn.u[:1], SPACE.draw(1, C[:1], seed=3).u)
    many = SPACE.draw(4000, C[:1].expand(4000, 2), seed=3).u
    assert many.mean(0).tolist() == pytest.approx([0, 0], abs=0.06)
    assert many.std(0).tolist() == pytest.approx([1, 1], abs=0.04)


def learned_flow(condition: int) -> nn.Module:
    """Return a flow over three numbers, far from N(0, I), that reads a condition."""
    torch.manual_seed(3)
    flow = realnvp(3, condition, couplings=4, width=8)
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.5)
    return flow.eval()


def test_points_of_a_flow_are_the_noise_of_which_it_makes_them():
    space = LatentSpace(Networks({"prior": learned_flow(2), "decoder": Same().eval()}))
    points = space.draw(2000, C[1:].expand(2000, 2), seed=3)
    z = space.latents(points)
    assert z.std(0).max() > 1.5, "the flow changes nothing"
    assert points.u.mean(0).tolist() == pytest.approx([0] * 3, abs=0.08)
    assert points.u.std(0).tolist() == pytest.approx([1] * 3, abs=0.06)
    varied = variations(points[:1], 1, noise(points[:1], 2000, 1))
    of_any = (space.latents(varied) - z.mean(0)) / z.std(0)
    assert of_any.mean(0).tolist() == pytest.approx([0] * 3, abs=0.1)
    assert of_any.std(0).tolist() == pytest.approx([1] * 3, abs=0.1)


def test_what_variations_keep_is_part_of_z_where_a_flow_mixes_all_of_u():
    space = LatentSpace(Networks({"prior": learned_flow(2), "decoder": Same().eval()}))
    point = space.draw(1, C[1:], seed=3)
    varied = variations(point, 1, noise(point, 5, 1))
    kept = torch.tensor([True, False, False])
    z, own = (space.latents(one) for one in (space.keeping(point, varied, kept), point))
    torch.testing.assert_close(z[:, 0], own[:, 0].expand(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(z[:, 1:], space.latents(varied)[:, 1:], atol=1e-4, rtol=0)
    assert (z[:, 1:] - own[:, 1:]).abs().amin(0).max() > 0.01


def test_of_several_samples_that_is_taken_which_is_reconstructed_best():
    """Distances from whole numbers are uniform in [0, 1/2]; the least of k is 1/2 / (k + 1)."""
    networks = {"prior": Shifted(), "encoder": Whole(), "decoder": Same().eval()}
    c = torch.tensor([[0.0], [0.7]]).repeat(4000, 1)
    for tries in (1, 4):
        torch.manual_seed(1)
        z = LatentSpace(Networks(networks), tries=tries).sample(len(c), c)
        apart = (z - z.round()).abs().mean().item()
        assert apart == pytest.approx(0.5 / (tries + 1), rel=0.03)
        assert z[::2].mean().item() == pytest.approx(0, abs=0.1)
        assert z[1::2].mean().item() == pytest.approx(7, abs=0.1)
        assert z.std(0).item() == pytest.approx(math.sqrt(2**2 + 3.5**2), rel=0.02)


class Ratio(nn.Module):
    """log N(z; 1, 2^2) / N(z; 0, 2^2), c = 0: both axes are moved by 1."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return (z / 4 - 1 / 8).sum(1)


def test_by_a_ratio_of_densities_samples_are_distributed_as_encoded_data():
    """N(0, 2^2) is resampled to N(1, 2^2): neither narrower nor further, as the best ones are."""
    networks = Networks({"prior": Shifted(), "decoder": Same().eval(), "ratio": Ratio()})
    torch.manual_seed(1)
    z = LatentSpace(networks, tries=32).sample(6000, torch.zeros(6000, 2))
    assert z.mean(0).tolist() == pytest.approx([1, 1], abs=0.12)
    assert z.std(0).tolist() == pytest.approx([2, 2], abs=0.08)
    one = LatentSpace(networks).sample(6000, torch.zeros(6000, 2))
    assert one.mean().item() == pytest.approx(0, abs=0.1)


def test_without_an_encoder_one_sample_is_taken():
    networks = Networks({"prior": Shifted(), "decoder": Same().eval()})
    torch.manual_seed(1)
    one = LatentSpace(networks).sample(2, C)
    torch.manual_seed(1)
    assert torch.equal(LatentSpace(networks, tries=4).sample(2, C), one)


def test_a_walk_keeps_to_the_circle_and_mixes_conditions():
    start, end = (
        LatentPoints(torch.tensor([[3.0, 0]]), C[:1]),
        LatentPoints(torch.tensor([[0, 3.0]]), C[1:]),
    )
    path = slerp(start, end, 3)
    half = 3 * math.sqrt(0.5)
    expected = torch.tensor([[3, 0], [half, half], [0, 3.0]])
    torch.testing.assert_close(path.u, expected, atol=1e-6, rtol=0)
    assert path.c is not None
    assert path.c.tolist() == [[1, 0], [0.5, 1.5], [0, 3]]
    assert len(path[1:]) == 2


def test_a_walk_between_opposite_or_equal_places_is_straight():
    one = LatentPoints(torch.tensor([[2.0, 0]]))
    assert slerp(one, LatentPoints(-one.u), 5).u[:, 0].tolist() == [2, 1, 0, -1, -2]
    assert slerp(one, one, 2).u.tolist() == [[2, 0], [2, 0]]


def test_arithmetic_is_that_of_places_and_conditions():
    a, b, c = (LatentPoints(torch.tensor([[n, n**2]])) for n in (5.0, 3.0, 1.0))
    assert arithmetic(a, b, c).u.tolist() == [[3, 17]]
    one, other = LatentPoints(a.u, C[:1]), LatentPoints(b.u, C[1:])
    assert torch.equal(arithmetic(one, one, other).u, other.u)
    result = arithmetic(one, other, other)
    assert result.c is not None and torch.equal(result.c, C[:1])


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_variation_is_neither_the_point_itself_nor_beyond_the_prior(strength: float):
    point = LatentPoints(torch.tensor([[1.0, -1.0]]))
    with pytest.raises(ConfigError, match=f"strength is 0 to 1, not {strength:g}"):
        variations(point, strength, noise(point, 3, 1))


def test_variations_of_what_the_prior_draws_are_as_the_prior_draws():
    point = LatentPoints(torch.tensor([[1.0, -1.0]]), C[:1])
    assert torch.equal(variations(point, 0, noise(point, 3, 1)).u, point.u.expand(3, 2))
    forgotten = variations(point, 1, noise(point, 3, 1))
    assert torch.equal(forgotten.u, variations(LatentPoints(point.u + 9), 1, noise(point, 3, 1)).u)
    assert forgotten.c is not None and torch.equal(forgotten.c, C[:1].expand(3, 2))
    torch.manual_seed(0)
    drawn = torch.randn(4000, 1)
    varied = torch.cat(
        [
            variations(one, 0.6, noise(one, 1, n)).u
            for n, one in enumerate(LatentPoints(u[None]) for u in drawn)
        ]
    )
    assert varied.std() == pytest.approx(1, abs=0.04)
    assert (varied * drawn).mean() == pytest.approx(0.8, abs=0.04)


def test_what_a_model_lacks_is_said():
    with pytest.raises(UserError, match="notes has no latent space"):
        LatentSpace(Networks({"density": Same()}), "notes")
    space = LatentSpace(Networks({"prior": Shifted(), "decoder": Same()}), "gan")
    with pytest.raises(UserError, match="gan has no encoder, so no file can be encoded"):
        space.encode(C, C)


def test_places_are_joined_with_their_conditions():
    both = concat([LatentPoints(C[:1], C[:1]), LatentPoints(C[1:], C[1:])])
    assert torch.equal(both.u, C) and both.c is not None and torch.equal(both.c, C)
    assert concat([LatentPoints(C)]).c is None


def test_arithmetic_takes_the_conditions_of_all_three():
    a, b, c = (
        LatentPoints(torch.tensor([[u]]), torch.tensor([condition]))
        for u, condition in ((5.0, [5.0, 1.0]), (3.0, [3.0, 2.0]), (1.0, [1.0, 7.0]))
    )
    result = arithmetic(a, b, c)
    assert result.u.tolist() == [[3]]
    assert result.c is not None and result.c.tolist() == [[3, 6]]


def test_arithmetic_with_a_place_that_has_no_condition_has_none():
    whole = [LatentPoints(torch.tensor([[u]]), torch.tensor([[2 * u]])) for u in (5.0, 3.0, 1.0)]
    for place in range(3):
        points = [LatentPoints(p.u) if n == place else p for n, p in enumerate(whole)]
        result = arithmetic(*points)
        assert result.c is None and result.u.tolist() == [[3]]
