"""Captions as tokens, and the condition that is read from them."""

import pytest
import torch

from videogen.networks.text import (
    ENCODERS,
    TRIPLES,
    Captions,
    Reader,
    RecurrentCaptionEncoder,
    TextConfig,
    caption_encoder,
)
from videogen.words import WORDS

KNOWN = Captions(("a", "circle", "red"))


def test_a_word_is_its_number_and_its_triples():
    tokens = KNOWN.encode(["A red dot", ""])
    assert tokens.shape == (2, WORDS, 1 + TRIPLES)
    assert tokens[0, :4, 0].tolist() == [2, 4, 1, 0]
    assert (tokens[0, 1, 1:] > 0).sum() == 3  # <re red ed>
    of_red, of_redo = KNOWN.encode(["red", "redo"])[:, 0, 1:].tolist()
    assert [a == b for a, b in zip(of_red, of_redo, strict=True)][:4] == [True, True, False, False]
    assert tokens[1].abs().sum() == 0


def test_case_and_stops_do_not_matter_and_order_does():
    one, same, other = KNOWN.encode(["A red circle.", "a RED, circle", "a circle red"])
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_unknown_words_are_named():
    assert KNOWN.unknown("A red rde circle, twice: dot") == ["rde", "twice", "dot"]


def test_long_and_empty_captions_are_read():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=8), words=3)
    c = encoder(KNOWN.encode(["", "red " * 100, "red"]))
    assert c.shape == (3, 8)
    assert c.isfinite().all()


@pytest.mark.parametrize("reader", ENCODERS)
def test_padding_is_not_read_and_neighbours_do_not_matter(reader: Reader):
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(reader=reader, width=8, layers=2), words=3)
    torch.nn.init.ones_(encoder.word.weight)  # that of padding too
    alone = encoder(KNOWN.encode(["a red circle"]))
    beside = encoder(KNOWN.encode(["a red circle", "a red red red red circle"]))
    torch.testing.assert_close(alone[0], beside[0])


def test_an_absent_triple_says_nothing_and_each_of_the_others_something():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=4), words=3)
    weight = encoder.triple.weight
    triples = torch.tensor([[[1, 5, 0], [0, 0, 0]]])
    found = encoder._triples(triples)[0]
    torch.testing.assert_close(found[0], (weight[1] + weight[5]) / 2)
    assert (found[1] == 0).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_padded_words_are_read_as_packed_ones(layers: int, monkeypatch: pytest.MonkeyPatch):
    """On a device no size depends on values; condition and gradients stay what they are."""
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=8, layers=layers), words=3)
    tokens = KNOWN.encode(["a red circle", "red", "", "a red red rde circle"])
    weights = torch.randn(4, 8)

    def read() -> list[torch.Tensor]:
        c = encoder(tokens)
        return [c, *torch.autograd.grad((weights * c).sum(), list(encoder.parameters()))]

    packed = read()
    monkeypatch.setattr("videogen.networks.text._is_padded", lambda x: True)
    torch.testing.assert_close(read(), packed)


def test_a_misspelt_word_says_something_of_the_right_one():
    """Its triples, of which most are the same."""
    torch.manual_seed(0)
    captions = Captions(("circle",))
    encoder = caption_encoder(TextConfig(width=64), words=1)
    right, near, far = encoder.triple(
        captions.encode(["circle", "circel", "square"])[:, 0, 1:].clone()
    )
    assert torch.dist(right, near) < torch.dist(right, far)


@pytest.mark.parametrize("reader", ENCODERS)
def test_words_and_triples_of_both_directions_have_a_say(reader: Reader):
    """Unknown words differ by their triples, and each weight has a gradient."""
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(reader=reader, width=8, layers=2), words=3)
    dog, cat, same = encoder(KNOWN.encode(["a dog", "a cat", "A dog"]))
    assert not torch.allclose(dog, cat, atol=1e-4) and torch.equal(dog, same)
    encoder(KNOWN.encode(["a red dog sleeps", "circle"])).square().sum().backward()
    silent = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_the_convolutions_of_tfgan_read_sixteen_words_on_two_levels():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(reader="convolutions", width=8), words=3)
    sixteen = "a red circle " * 5 + "a"
    tokens = KNOWN.encode([sixteen, f"{sixteen} red", "circle" + sixteen[1:]])
    early, c = encoder.levels(tokens)
    assert early.shape == (3, 2 * 8 * 5) and c.shape == (3, 8)
    for level in (early, c):
        assert torch.equal(level[0], level[1]), "the seventeenth word is read"
        assert not torch.allclose(level[0], level[2])


def test_each_direction_reads_on_from_where_it_begins():
    """Half of the last states have read the caption forwards, half backwards.

    What was read last counts most.
    """
    torch.manual_seed(0)
    encoder = RecurrentCaptionEncoder(TextConfig(width=64), words=3)
    states = {}

    def keep(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        states["last"] = inputs[0].detach()

    encoder.out.register_forward_pre_hook(keep)
    red = " red" * 12
    encoder(KNOWN.encode([f"a{red} a", f"circle{red} a", f"a{red} circle"]))
    plain, first, last = states["last"]
    moved_first, moved_last = ((other - plain).abs().view(2, 32).sum(1) for other in (first, last))
    assert moved_first[1] > 10 * moved_first[0], "the first word was read last, backwards"
    assert moved_last[0] > 10 * moved_last[1], "the last word was read last, forwards"
