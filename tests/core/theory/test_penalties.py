"""Penalties on a critic's gradient, on events of several axes."""

import pytest
import torch

from core.theory.adversarial import R1, GradientPenalty

NORM_13 = torch.tensor([[3.0, 0.0, -4.0], [0.0, 12.0, 0.0]])


def linear(x):
    return (NORM_13 * x).sum((1, 2))


def test_the_norm_is_over_all_axes_of_the_event():
    real, fake = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    paid = GradientPenalty(0.5)(linear, (real,), (fake,))
    torch.testing.assert_close(paid, torch.full((4,), 0.5 * 12.0**2))
    paid = R1(0.6)(linear, (real,), (fake,))
    torch.testing.assert_close(paid, torch.full((4,), 0.3 * 169.0))


def test_each_sample_has_a_uniform_mixing_factor_of_its_own():
    """The gradient of |x|^2 / 2 is x: between a unit vector and 0 its norm is the factor."""
    real = torch.zeros(4000, 2, 2)
    real[:, 1, 0] = 1.0
    paid = GradientPenalty(1.0)(
        lambda x: 0.5 * (x**2).sum((1, 2)), (real,), (torch.zeros_like(real),)
    )
    factor = 1 - paid.detach().sqrt()
    assert len(factor.unique()) > 3900
    assert factor.min() >= 0 and factor.max() <= 1
    assert factor.mean().item() == pytest.approx(1 / 2, abs=0.02)
    assert factor.var().item() == pytest.approx(1 / 12, abs=0.005)


def test_the_parts_of_a_joint_share_the_factor():
    """Each point lies on the segment between the two pairs: x from 1 to 3, z from 10 to -10."""
    seen = []

    def critic(x, z):
        seen.append((x.detach(), z.detach()))
        return x.sum((1, 2)) + z.squeeze(1)

    real = torch.ones(50, 2, 3), torch.full((50, 1), 10.0)
    GradientPenalty(1.0)(critic, real, (3 * real[0], -real[1]))
    ((x, z),) = seen
    share = (x - 1) / 2
    assert share.min() > 0 and share.max() < 1
    torch.testing.assert_close(share, share[:, :1, :1].expand(50, 2, 3))
    torch.testing.assert_close(z.squeeze(1), 10 - 20 * share[:, 0, 0])


def test_r1_is_paid_where_data_lie():
    """The squared slope of |x|^2 / 2 is |x|^2: 25 at the data, whatever is generated."""
    real = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]])
    paid = R1(1.0)(lambda x: 0.5 * (x**2).sum((1, 2)), (real,), (9 * real,))
    assert paid.item() == pytest.approx(12.5)
