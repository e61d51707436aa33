"""The networks of text to video: shapes, inputs of each network, ablations."""

import pytest
import torch

from core.theory.passes import Batch, Networks, Passes
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.gist import ClipByGist, Decoder, Encoder, Text2Filter
from videogen.networks.text import Captions, TextConfig
from videogen.recipes import RECIPES

WORDS = ("a", "blue", "circle", "red", "square")
CAPTIONS = ["a red circle", "a blue square", "a red square"]
TINY = VideoConfig(latent=6, channels=4, critic_channels=4, width=16, text=TextConfig(width=8))
SIZE, FRAMES = 16, 6


def batch(captions=CAPTIONS):
    torch.manual_seed(1)
    clips = torch.rand(len(captions), 3, FRAMES, SIZE, SIZE) * 2 - 1
    return Batch(clips, Captions(WORDS).encode(captions))


def networks_of(name="gist_gan", config=TINY):
    torch.manual_seed(0)
    return build(config, SIZE, FRAMES, len(WORDS), RECIPES[name].conditional())


def generated(passes: Passes) -> ClipByGist:
    clip = passes.generation
    assert isinstance(clip, ClipByGist)
    return clip


def decoder_of(networks: Networks) -> Decoder:
    decoder = networks["decoder"]
    assert isinstance(decoder, Decoder)
    return decoder


HERE = [
    name
    for name, known in RECIPES.items()
    if not known.needs - {"condition", "gist", "maps"} and name != "latent_tfgan"  # has no gist
]


@pytest.mark.parametrize("name", HERE)
def test_every_recipe_runs_in_this_domain(name):
    passes = Passes(networks_of(name), batch())
    for term in RECIPES[name].conditional().terms:
        assert term(passes).isfinite().all()


def test_a_clip_is_a_mixture_of_foreground_and_background_by_the_mask():
    passes = Passes(networks_of(), batch())
    clip = generated(passes)
    foreground, mask, background = clip.streams
    assert foreground.shape == (3, 1, 3, FRAMES, SIZE, SIZE)
    assert mask.shape == (3, 1, 1, FRAMES, SIZE, SIZE)
    assert background.shape == (3, 3, SIZE, SIZE)
    assert mask.min() >= 0
    assert mask.max() <= 1
    mixed = mask[:, 0] * foreground[:, 0] + (1 - mask[:, 0]) * background[:, :, None]
    torch.testing.assert_close(clip.mean, mixed)
    assert clip.gist.mean.shape == (3, 3, SIZE, SIZE)
    assert set(clip.parts) == {"gist", "background", "mask", "foreground"}


def test_the_gist_of_a_clip_is_its_first_frame():
    networks, x = networks_of(), batch().x
    assert torch.equal(decoder_of(networks).gist_of(x), x[:, :, 0])


def test_captions_are_encoded_once_and_condition_every_network():
    networks, x = networks_of(), batch().x[:1].repeat(2, 1, 1, 1, 1)
    passes = Passes(networks, Batch(x, Captions(WORDS).encode(["a red circle", "a blue square"])))
    c = passes.c
    assert c is not None
    assert c is passes.c
    assert c.shape == (2, 8)
    one, other = passes.score("critic_xc", passes.reference("xc"))
    assert one != other
    assert passes.prior.representative[0].ne(passes.prior.representative[1]).any()
    clips = decoder_of(networks)(torch.zeros(2, 6), c)
    assert clips.gist.mean[0].ne(clips.gist.mean[1]).any()
    assert clips.mean[0].ne(clips.mean[1]).any()


def test_the_text_filter_is_a_convolution_with_the_mixed_kernel():
    """Linear in the picture, and the mixture of the filters is the filter of the mixture."""
    torch.manual_seed(0)
    layer, c = Text2Filter(condition=2, filters=3, by_caption=True), torch.randn(1, 2)
    picture = torch.randn(1, 3, 8, 8)
    mixture = layer.mixture(c).view(3, 3) / 3**0.5
    kernel = torch.einsum("oi,iruv->oruv", mixture, layer.basis.weight)
    whole = torch.nn.functional.conv2d(picture, kernel, mixture @ layer.basis.bias, 2, 2)
    expected = torch.nn.functional.leaky_relu(whole, 0.2)
    torch.testing.assert_close(layer(picture, c), expected)


def test_without_the_text_filter_the_caption_has_no_influence():
    layer = Text2Filter(condition=2, filters=3, by_caption=False)
    picture = torch.randn(1, 3, 8, 8)
    assert torch.equal(layer(picture, torch.zeros(1, 2)), layer(picture, torch.ones(1, 2)))


def test_without_a_gist_the_clip_has_no_gist_layer():
    config = TINY.model_copy(update={"gist": False})
    passes = Passes(networks_of("gan", config), batch())
    assert passes.generated_x.shape == passes.x.shape
    assert set(generated(passes).parts) == {"background", "mask", "foreground"}


@pytest.mark.parametrize(("size", "frames"), [(16, 2), (32, 4), (64, 8)])
def test_networks_fit_every_size_of_clips(size, frames):
    networks = build(TINY, size, frames, len(WORDS), RECIPES["gist_gan"].conditional())
    x = torch.zeros(2, 3, frames, size, size)
    passes = Passes(networks, Batch(x, Captions(WORDS).encode(CAPTIONS[:2])))
    assert passes.generated_x.shape == x.shape
    assert passes.score("critic_xc", passes.reference("xc")).shape == (2,)
    assert passes.posterior_sample.shape == (2, TINY.latent)


def test_initial_weights_keep_the_variance():
    """Features of random clips neither vanish nor explode before training."""
    config = VideoConfig(channels=16, width=64)
    networks = build(config, 32, 8, len(WORDS), RECIPES["gist_gan"].conditional())
    x = torch.randn(16, 3, 8, 32, 32)
    c = networks["condition"](Captions(WORDS).encode([CAPTIONS[0]] * 16))
    encoder = networks["encoder"]
    assert isinstance(encoder, Encoder)
    features = encoder.downsample(x[:, :, [0, 2, 5, 7]].flatten(1, 2))
    assert 0.1 < features.pow(2).mean() < 10
    spread = networks["decoder"](torch.randn(16, config.latent), c).mean.std(0).mean()
    assert 0.05 < spread < 10


@pytest.mark.parametrize("blocks", ["dcgan", "style"])
def test_generators_of_other_blocks_have_gradients_everywhere_and_keep_the_variance(blocks):
    torch.manual_seed(0)
    config = VideoConfig(latent=8, channels=8, width=32, text=TextConfig(width=16), blocks=blocks)
    networks = build(config, 32, 6, 20, RECIPES["gist"].conditional())
    tokens = Captions(["red"]).encode(["red", "a dog", "red dog"])
    passes = Passes(networks, Batch(torch.randn(3, 3, 6, 32, 32), tokens))
    clips = passes.generation.representative
    assert clips.shape == (3, 3, 6, 32, 32)
    assert 0.02 < clips.std() < 20
    clips.square().sum().backward()
    silent = [
        n for n, p in networks["decoder"].named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert silent == []


def test_critics_see_clips_at_the_resolution_that_is_generated():
    """At first 16 x 16 pixels are generated as 4 x 4; real clips are averaged over the blocks."""
    config = VideoConfig(latent=8, channels=4, width=16, blocks="growing")
    networks = build(config, 16, 4, 20, RECIPES["gan"].conditional())
    x = torch.randn(3, 3, 4, 16, 16)
    passes = Passes(networks, Batch(x, Captions(["red"]).encode(["red"] * 3)))
    (seen,), (produced,) = passes.reference("x"), passes.produced("x")
    for clips in (seen, produced):
        blocks = clips.unflatten(4, (4, 4)).unflatten(3, (4, 4))  # row, in it, column, in it
        torch.testing.assert_close(blocks, blocks[:, :, :, :, :1, :, :1].expand_as(blocks))
    expected = x[1, 2, 3, 4:8, 8:12].mean()
    torch.testing.assert_close(seen[1, 2, 3, 4:8, 8:12], expected.expand(4, 4))


def test_the_encoder_reads_evenly_spaced_frames_and_no_others():
    """Four of six: the first, two between (at 1.67 and 3.33) and the last."""
    encoder = networks_of()["encoder"]
    x, c = batch().x, torch.randn(3, 8)
    moved = []
    for frame in range(FRAMES):
        changed = x.clone()
        changed[:, :, frame] += 1
        if not torch.equal(encoder(changed, c).mean, encoder(x, c).mean):
            moved.append(frame)
    assert moved == [0, 2, 3, 5]


def test_the_gist_depends_on_the_first_half_of_z_and_the_clip_on_all_of_it():
    networks = networks_of()
    torch.manual_seed(2)
    z, c = torch.randn(1, TINY.latent), torch.randn(1, 8)
    clip = decoder_of(networks)(z, c)
    for dimension in range(TINY.latent):
        changed = z.clone()
        changed[:, dimension] += 1
        other = decoder_of(networks)(changed, c)
        assert torch.equal(other.gist.mean, clip.gist.mean) == (dimension >= TINY.latent // 2)
        assert not torch.equal(other.mean, clip.mean)


def test_captions_change_what_moves_apart_from_the_gist():
    """With the same gist, and a filter that does not read the caption."""
    networks = networks_of(config=TINY.model_copy(update={"text_filter": False}))
    decoder = decoder_of(networks)
    gist = torch.randn(1, 3, SIZE, SIZE)
    decoder.gist_image = lambda z, c: gist
    torch.manual_seed(2)
    z, (one, other) = torch.randn(1, TINY.latent), torch.randn(2, 1, 8)
    assert torch.equal(decoder(z, one).gist.mean, decoder(z, other).gist.mean)
    moves, others = (decoder(z, c).mean.diff(dim=2) for c in (one, other))
    assert (moves - others).abs().max() > 1e-3


def test_the_posterior_sees_in_which_order_frames_come():
    encoder = networks_of()["encoder"]
    x, c = batch().x, torch.randn(3, 8)
    forwards, backwards = encoder(x, c).mean, encoder(x.flip(2), c).mean
    assert (forwards - backwards).abs().max() > 1e-3
