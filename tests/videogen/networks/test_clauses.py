"""Clauses of a caption: own conditions, own latents, own layers of the clip."""

import pytest
import torch

from core.errors import ConfigError
from core.theory.codes import CodePosterior
from core.theory.distributions import Delta, Gaussian
from core.theory.passes import Batch, Networks, Passes
from videogen.networks.build import build
from videogen.networks.clauses import joined
from videogen.networks.config import VideoConfig
from videogen.networks.gist import ClipByGist, Decoder, Encoder, Focus
from videogen.networks.text import Captions, TextConfig, caption_encoder
from videogen.recipes import RECIPES
from videogen.words import WORDS

VOCABULARY = ("a", "and", "blue", "red")
TWO = VideoConfig(
    clauses=2, latent=4, channels=4, critic_channels=4, width=16, text=TextConfig(width=8)
)
CAPTIONS = ["a red and a blue", "a red"]


def networks() -> Networks:
    torch.manual_seed(0)
    return build(TWO, 16, 4, len(VOCABULARY), RECIPES["gist_flow"].conditional())


def decoder() -> Decoder:
    found = networks()["decoder"]
    assert isinstance(found, Decoder)
    return found


def condition(captions: list[str]) -> torch.Tensor:
    return networks()["condition"](Captions(VOCABULARY, 2).encode(captions))


def test_each_clause_is_encoded_in_a_block_of_its_own():
    tokens = Captions(VOCABULARY, 2).encode(CAPTIONS)
    assert tokens[0, :3, 0].tolist() == [2, 5, 0]  # a red
    assert tokens[0, WORDS : WORDS + 3, 0].tolist() == [2, 4, 0]  # a blue
    assert not tokens[1, WORDS:].any()


def test_a_clause_has_the_same_condition_first_second_or_alone():
    torch.manual_seed(0)
    encoder = caption_encoder(TextConfig(width=8), len(VOCABULARY))
    tokens = Captions(VOCABULARY, 2).encode(["a red and a blue", "a blue and a red", "a red"])
    one, turned, alone = encoder(tokens).unflatten(1, (2, 8))
    torch.testing.assert_close(one, turned.flip(0))
    torch.testing.assert_close(one[0], alone[0])
    assert not alone[1].any()


def test_the_latents_of_the_clauses_follow_each_other():
    """Those of clip 0, first clause: 0 and 1, second: 2 and 3; then those of clip 1."""
    rows = torch.arange(8.0).view(4, 2)
    both = joined(Gaussian(rows, -rows), 2)
    assert isinstance(both, Gaussian)
    assert both.mean.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert both.log_std.tolist() == [[0, -1, -2, -3], [-4, -5, -6, -7]]
    point = joined(Delta(rows, std=2.0), 2)
    assert isinstance(point, Delta)
    assert (point.point.tolist(), point.std) == ([[0, 1, 2, 3], [4, 5, 6, 7]], 2.0)
    with pytest.raises(ConfigError, match="one z for a caption: --set model"):
        joined(CodePosterior.__new__(CodePosterior), 2)


def test_the_masks_of_clauses_and_background_are_a_softmax():
    clip = decoder()(torch.randn(2, 8), condition(CAPTIONS))
    foregrounds, masks, background = clip.streams
    assert foregrounds.shape == (2, 2, 3, 4, 16, 16)
    assert masks.shape == (2, 2, 1, 4, 16, 16)
    rest = 1 - masks.sum(1)
    assert (rest > 0).all()
    mixed = rest * background[:, :, None] + (masks * foregrounds).sum(1)
    torch.testing.assert_close(clip.mean, mixed)


def test_a_clause_that_a_caption_does_not_have_changes_nothing():
    network, c = decoder(), condition(["a red"])
    z = torch.randn(1, 8)
    changed = torch.cat([z[:, :4], torch.randn(1, 4)], 1)
    one, other = network(z, c), network(changed, c)
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.gist.mean, other.gist.mean)
    assert not one.streams[1][:, 1].any()


def test_each_clause_of_two_changes_the_clip():
    network, c = decoder(), condition(["a red and a blue"])
    z = torch.randn(1, 8)
    for dimension in range(8):
        changed = z.clone()
        changed[:, dimension] += 1
        assert not torch.equal(network(changed, c).mean, network(z, c).mean)


def test_a_clip_of_one_clause_is_that_of_networks_for_one_clause():
    """The other's parameters have no influence: the paper's sigmoid is the softmax of two."""
    network, c = decoder(), condition(["a red"])
    z = torch.randn(1, 8)
    foregrounds, masks, background = network(z, c).streams
    logit = torch.logit(masks[:, 0])
    sigmoid = torch.sigmoid(logit)
    below = background[:, :, None].expand_as(foregrounds[:, 0])
    lerp = torch.lerp(below, foregrounds[:, 0], sigmoid)
    torch.testing.assert_close(network(z, c).mean, lerp)


def test_every_term_trains_with_two_clauses():
    for name in ("gist_flow", "gist_gan", "text_to_video", "vae", "aae"):
        recipe = RECIPES[name].conditional()
        torch.manual_seed(0)
        built = build(TWO, 16, 4, len(VOCABULARY), recipe)
        tokens = Captions(VOCABULARY, 2).encode(CAPTIONS)
        passes = Passes(built, Batch(torch.rand(2, 3, 4, 16, 16), tokens))
        assert all(term(passes).isfinite().all() for term in recipe.terms)
        assert isinstance(passes.generation, ClipByGist)


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("vae_flow", "streams"),
        ("vgan", "streams"),
        ("vae_flow", "path"),
        ("tfgan_vae", "path"),
        ("latent_tfgan", "moments"),
    ],
)
def test_every_decoder_trains_with_two_clauses(name: str, decoder: str):
    recipe = RECIPES[name].conditional()
    built = build(TWO.replace(decoder=decoder, motion=2), 16, 4, len(VOCABULARY), recipe)
    tokens = Captions(VOCABULARY, 2).encode(CAPTIONS)
    x = torch.rand(2, 3, 4, 16, 16)
    passes = Passes(built, Batch(x, tokens))
    assert all(term(passes).isfinite().all() for term in recipe.terms)
    assert passes.generation.representative.shape == x.shape


def test_the_focus_dims_what_a_clause_does_not_describe():
    """One feature, the red of a pixel; a query of 1 opens the gate of red and of nothing else."""
    focus = Focus(condition=2, filters=1)
    torch.nn.init.zeros_(focus.features.weight)
    focus.features.weight.data[0, 0, 2, 2] = 3.0
    assert focus.features.bias is not None
    torch.nn.init.zeros_(focus.features.bias)
    torch.nn.init.zeros_(focus.query.bias)
    focus.query.weight.data[:] = torch.tensor([[1.0, -1.0]])
    frames = torch.full((1, 1, 3, 1, 2), -1.0)  # two pixels, black
    frames[0, 0, 0, 0, 0] = 1.0  # the first one is red
    with torch.no_grad():
        seen = focus(frames, torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    red, other = seen[0, :, 0, :, 0]
    gate = torch.sigmoid(torch.tensor(3.0))
    assert red[0, 0] == pytest.approx(4 * gate.item() - 1)
    assert other[0, 0] == pytest.approx(4 * (1 - gate.item()) - 1)
    assert red[1:, 1].tolist() == [-1, -1]  # black stays black


def test_an_untrained_focus_shows_all_clauses_the_whole_clip():
    encoder = networks()["encoder"]
    assert isinstance(encoder, Encoder)
    assert encoder.focus
    frames = torch.rand(2, 4, 3, 16, 16) * 2 - 1
    focused = encoder.focus(frames, torch.randn(2, 2, 8))
    torch.testing.assert_close(focused, frames[:, None].expand_as(focused))
