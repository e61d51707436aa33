"""Samples that are spread as their distribution is."""

import math

import pytest
import torch

from musegen.bar_latents import hypercube

CPU = torch.device("cpu")


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_one_number_lies_in_each_interval_and_in_another_order_for_each(count: int):
    torch.manual_seed(0)
    numbers = hypercube.uniform(count, 3, device=CPU)
    assert ((numbers > 0) & (numbers < 1)).all()
    interval = (count * numbers).long()
    assert torch.equal(interval.sort(0).values, torch.arange(count)[:, None].expand(-1, 3))
    assert count < 7 or not torch.equal(interval[:, 0], interval[:, 1])


def test_normal_samples_have_one_between_any_two_neighbouring_quantiles():
    """The quartiles of N(0, 1) are -0.6745, 0 and 0.6745."""
    torch.manual_seed(0)
    samples = hypercube.normal(4, device=CPU).sort().values.tolist()
    edges = [-math.inf, -0.6745, 0.0, 0.6745, math.inf]
    assert all(a < sample < b for a, b, sample in zip(edges, edges[1:], samples, strict=False))


def test_classes_of_equal_chances_come_as_often_as_they_say():
    """Chances 0.3, 0, 0.5 and 0.2 give 3, 0, 5 and 2 of 10 samples, in any order, each time."""
    torch.manual_seed(0)
    chances = torch.tensor([0.3, 0.0, 0.5, 0.2]).expand(10, 4)
    for _ in range(20):
        assert hypercube.classes(chances).bincount(minlength=4).tolist() == [3, 0, 5, 2]


def test_each_sample_has_its_own_chances_and_an_impossible_class_is_never_drawn():
    torch.manual_seed(0)
    chances = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert all(hypercube.classes(chances).tolist() == [0, 1, 0] for _ in range(50))


def test_a_single_sample_is_drawn_by_chance():
    """One of chances 0.25 and 0.75, drawn 2,000 times: the standard deviation is 0.0097."""
    torch.manual_seed(0)
    drawn = [hypercube.classes(torch.tensor([[0.25, 0.75]])).item() for _ in range(2000)]
    assert sum(drawn) / 2000 == pytest.approx(0.75, abs=0.04)
