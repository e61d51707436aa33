"""Captions as tokens, and the condition that is read from them."""

import torch

from videogen.networks.text import (
    TRIPLES,
    WORDS,
    Captions,
    TextConfig,
    caption_encoder,
    vocabulary,
    words_of,
)

KNOWN = Captions(("a", "circle", "red"))


def test_a_word_is_its_number_and_its_triples():
    tokens = KNOWN.encode(["A red dot", ""])
    assert tokens.shape == (2, WORDS, 1 + TRIPLES)
    assert tokens[0, :4, 0].tolist() == [2, 4, 1, 0]
    assert (tokens[0, 1, 1:] > 0).sum() == 3  # <re red ed>
    assert tokens[1].abs().sum() == 0


def test_case_and_stops_do_not_matter_and_order_does():
    one, same, other = KNOWN.encode(["A red circle.", "a RED, circle", "a circle red"])
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_unknown_words_are_named():
    assert KNOWN.unknown("A red rde circle, twice: dot") == ["rde", "twice", "dot"]


def test_the_vocabulary_is_sorted_and_keeps_the_commonest():
    captions = ["a red dot", "a red cat", "a dog"]
    assert vocabulary(captions) == ("a", "cat", "dog", "dot", "red")
    assert vocabulary(captions, most=2) == ("a", "red")
    assert words_of("don't go_on 3x") == ["don't", "go", "on", "3x"]


def test_long_and_empty_captions_are_read():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=8), words=3)
    c = encoder(KNOWN.encode(["", "red " * 100, "red"]))
    assert c.shape == (3, 8)
    assert c.isfinite().all()


def test_padding_is_not_read_and_neighbours_do_not_matter():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=8, layers=2), words=3)
    alone = encoder(KNOWN.encode(["a red circle"]))
    beside = encoder(KNOWN.encode(["a red circle", "a red red red red circle"]))
    torch.testing.assert_close(alone[0], beside[0])


def test_a_misspelt_word_says_something_of_the_right_one():
    """Its triples, of which most are the same."""
    torch.manual_seed(0)
    captions = Captions(("circle",))
    encoder = caption_encoder(TextConfig(width=64), words=1)
    right, near, far = encoder.triple(
        captions.encode(["circle", "circel", "square"])[:, 0, 1:].clone()
    )
    assert torch.dist(right, near) < torch.dist(right, far)
