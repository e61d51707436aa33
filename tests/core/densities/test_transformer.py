"""The causal transformer: what a position may see, and that KV caches change nothing."""

import math

import pytest
import torch

from core.densities.transformer import CausalTransformer, log_prob_of, nucleus, sample_logits


@pytest.fixture
def transformer() -> CausalTransformer:
    torch.manual_seed(1)
    return CausalTransformer(width=12, layers=3, heads=2).double().eval()


def test_a_position_sees_itself_and_earlier_ones_only(transformer: CausalTransformer):
    x = torch.randn(1, 6, 12, dtype=torch.double, requires_grad=True)
    for position in range(6):
        (seen,) = torch.autograd.grad(transformer(x)[0, position].square().sum(), x)
        assert seen[0, : position + 1].abs().sum(1).gt(0).all()
        assert seen[0, position + 1 :].eq(0).all()


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1, 1, 1, 1), (4, 1, 2), (7,)])
def test_kv_caches_change_nothing(transformer: CausalTransformer, cuts: tuple[int, ...]):
    x = torch.randn(3, 7, 12, dtype=torch.double)
    kv_caches = transformer.caches()
    pieces = [transformer(piece, kv_caches) for piece in x.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), transformer(x))


def test_padding_is_not_seen_and_harms_nothing(transformer: CausalTransformer):
    x = torch.randn(2, 6, 12, dtype=torch.double)
    kv_caches, padding = transformer.caches(), torch.tensor([0, 4])
    first = transformer(x[:, :5], kv_caches, padding)
    then = transformer(x[:, 5:], kv_caches, padding)
    torch.testing.assert_close(first[0], transformer(x[:1])[0, :5])
    torch.testing.assert_close(torch.cat([first, then], 1)[1, 4:], transformer(x[1:, 4:])[0])
    assert first.isfinite().all()


def test_a_cache_of_some_sequences_goes_on_without_the_others(transformer: CausalTransformer):
    x = torch.randn(4, 5, 12, dtype=torch.double)
    kv_caches, kept = transformer.caches(), torch.tensor([0, 3])
    transformer(x[:, :4], kv_caches)
    for cache in kv_caches:
        cache.keep(kept)
    after = transformer(x[kept, 4:], kv_caches)[:, 0]
    torch.testing.assert_close(after, transformer(x[kept])[:, 4])


def test_caches_grow_by_doubling(transformer: CausalTransformer):
    kv_caches = transformer.caches()
    capacities = []
    for _ in range(9):
        transformer(torch.randn(1, 1, 12, dtype=torch.double), kv_caches)
        capacities.append(kv_caches[0].pairs.shape[3])
    assert capacities == [2, 2, 6, 6, 6, 6, 14, 14, 14]


def test_samples_have_the_frequencies_of_their_probabilities():
    torch.manual_seed(2)
    logits = torch.tensor([0.1, 0.2, 0.7]).log().expand(20_000, 3)
    frequencies = torch.bincount(sample_logits(logits)) / 20_000
    torch.testing.assert_close(frequencies, torch.tensor([0.1, 0.2, 0.7]), atol=0.01, rtol=0)


def test_a_low_temperature_sharpens_samples():
    torch.manual_seed(3)
    logits = torch.tensor([1.0, 2.0]).log().expand(20_000, 2)  # 1 : 2, squared 1 : 4
    assert sample_logits(logits, 0.5).float().mean().item() == pytest.approx(0.8, abs=0.01)


def test_log_probabilities_of_chosen_classes():
    found = log_prob_of(
        torch.tensor([[1.0, 2.0, 5.0], [3.0, 3.0, 0.0]]).log(), torch.tensor([2, 0])
    )
    assert found.exp().tolist() == pytest.approx([5 / 8, 1 / 2])


def test_probabilities_are_in_single_precision():
    """Half precision would round 2 + exp(-8) to 2."""
    logits = torch.zeros(1, 3, dtype=torch.bfloat16)
    logits[0, 1] = -8
    found = log_prob_of(logits, torch.tensor([0]))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(-math.log(2 + math.exp(-8)), abs=1e-6)


def test_samples_are_drawn_in_single_precision():
    """In half precision two of 200 classes would often be equally near."""
    logits = torch.randn(5_000, 200).bfloat16()
    torch.manual_seed(4)
    expected = sample_logits(logits.float())
    torch.manual_seed(4)
    assert torch.equal(sample_logits(logits), expected)


def test_a_nucleus_is_the_least_set_that_has_its_share():
    """Holtzman et al. 2020, by hand: 0.45 + 0.3 + 0.15 reach 0.8, and 0.45 + 0.3 do not."""
    logits = torch.tensor([[0.15, 0.45, 0.1, 0.3], [0.9, 0.05, 0.04, 0.01]]).log()
    p, classes = nucleus(logits, 0.8)
    assert classes.tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]
    torch.testing.assert_close(p, torch.tensor([[0.45, 0.3, 0.15, 0], [0.9, 0, 0, 0]]))
    assert nucleus(logits, 0.2)[0].gt(0).sum(1).tolist() == [1, 1], "the likeliest stays"


def test_samples_of_a_nucleus_have_its_renormalised_frequencies():
    logits = torch.tensor([0.15, 0.45, 0.1, 0.3]).log().expand(20_000, -1)
    found = torch.bincount(sample_logits(logits, share=0.8), minlength=4) / 20_000
    expected = torch.tensor([0.15, 0.45, 0, 0.3]) / 0.9
    torch.testing.assert_close(found, expected, atol=0.015, rtol=0)


def test_the_temperature_comes_before_the_nucleus():
    """At temperature 0.5 the shares are squared: 0.2025 of 0.325 is less than 0.7."""
    logits = torch.tensor([[0.15, 0.45, 0.1, 0.3]]).log().expand(2_000, -1)
    assert sample_logits(logits, 0.5, 0.6).unique().tolist() == [1]
    assert sample_logits(logits, 0.5, 0.7).unique().tolist() == [1, 3]


def test_one_sample_is_that_of_multinomial():
    logits = torch.randn(50, 7)
    torch.manual_seed(3)
    expected = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
    torch.manual_seed(3)
    assert torch.equal(sample_logits(logits), expected)
