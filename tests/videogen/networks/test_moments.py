"""Codes of moments: which frames and which noise they depend on, and the game over them."""

import pytest
import torch

from core.theory.distributions import Delta
from core.theory.passes import Batch, Passes
from core.training.optimisation import Optimisation
from core.training.step import TrainState, critic_step, learner_step
from videogen.configuration import VideoModel
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.moments import CodeCritic, MomentDecoder, MomentEncoder, PathPrior
from videogen.networks.text import Captions, TextConfig

CONFIG = VideoConfig(
    decoder="moments", latent=4, motion=2, channels=4, width=16, text=TextConfig(width=6)
)
FRAMES = 5
"""Three moments, of which the last has one frame."""
CAPTIONS = Captions(("red", "blue"))


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


def moments_that_differ(z, other):
    return (z - other).view(3, 4).abs().amax(1).gt(1e-6).tolist()


@torch.no_grad()
def test_a_code_reads_two_frames_and_is_normalised():
    encoder = MomentEncoder(CONFIG, 16, Delta)
    clip = torch.randn(1, 3, FRAMES, 16, 16)
    z = encoder(clip, None).representative
    assert z.shape == (1, CONFIG.latents(FRAMES))
    codes = z.view(3, 4)
    torch.testing.assert_close(codes.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(codes.var(1, unbiased=False), torch.ones(3), atol=0.02, rtol=0)
    for frame, moment in enumerate((0, 0, 1, 1, 2)):
        other = clip.clone()
        other[:, :, frame] *= -1
        differ = moments_that_differ(z, encoder(other, None).representative)
        assert differ == [n == moment for n in range(3)]


@torch.no_grad()
def test_a_code_is_two_frames_and_noisy_in_training_alone():
    decoder = MomentDecoder(CONFIG, 16, FRAMES).eval()
    z = torch.randn(1, 12)
    clip = decoder(z, None).mean
    assert clip.shape == (1, 3, FRAMES, 16, 16)
    other = z.clone()
    other[0, 4] += 1  # of the second moment
    changed = (decoder(other, None).mean - clip).abs().amax((0, 1, 3, 4)).gt(1e-6)
    assert changed.tolist() == [False, False, True, True, False]
    assert torch.equal(decoder(z, None).mean, clip)
    decoder.train()
    assert not torch.equal(decoder(z, None).mean, clip)


@torch.no_grad()
@pytest.mark.parametrize(
    "recipe, decoder",
    [("vae", "gist"), ("vae", "path"), ("vae", "streams"), ("latent_tfgan", "moments")],
)
def test_the_deviation_of_pixels_reaches_every_decoder(recipe: str, decoder: str):
    """A distance of 1 of each number from the mean is two deviations."""
    config = CONFIG.replace(decoder=decoder, pixel_std=0.5)
    wanted = VideoModel(recipe=recipe, video=config).resolved_recipe
    networks = build(config, 16, FRAMES, 2, wanted)
    z = torch.randn(1, config.latents(FRAMES))
    x = networks["decoder"](z, torch.zeros(1, config.condition))
    numbers = 3 * FRAMES * 16 * 16
    assert x.log_prob(x.mean + 1).item() == pytest.approx(-(2**2) / 2 * numbers, rel=1e-4)


@torch.no_grad()
def test_a_code_of_the_path_follows_from_the_content_and_the_noise_so_far():
    prior = PathPrior(CONFIG, FRAMES)
    noise, c = torch.randn(1, 4 + 3 * 2), torch.randn(1, CONFIG.condition)
    z = prior.codes(noise, c)

    def changed(position):
        other = noise.clone()
        other[0, position] += 1
        return moments_that_differ(z, prior.codes(other, c))

    assert changed(0) == [True, True, True]  # content
    assert changed(4) == [True, True, True]
    assert changed(6) == [False, True, True]
    assert changed(8) == [False, False, True]
    for half in (0, 11):  # of content, of motion
        said = c.clone()
        said[0, half] += 1
        assert moments_that_differ(z, prior.codes(noise, said)) == [True] * 3
    with pytest.raises(NotImplementedError, match="no density"):
        prior(1, c).log_prob(z)


@torch.no_grad()
def test_the_content_decides_where_the_path_begins():
    """With weights of 0 for it in each code, it reaches the codes by the path alone."""
    prior = PathPrior(CONFIG, FRAMES)
    noise, c = torch.randn(1, 4 + 3 * 2), torch.randn(1, CONFIG.condition)
    prior.get_parameter("code.0.weight")[:, :4] = 0
    other = noise.clone()
    other[0, 0] += 1
    assert moments_that_differ(prior.codes(noise, c), prior.codes(other, c)) == [True] * 3
    prior.get_parameter("first.0.weight")[:, 0] = 0
    assert moments_that_differ(prior.codes(noise, c), prior.codes(other, c)) == [False] * 3


@torch.no_grad()
def test_the_critic_sees_the_order_of_codes_and_the_caption():
    critic = CodeCritic(CONFIG, FRAMES, 2)
    z, tokens = torch.randn(2, 12), CAPTIONS.encode(["red", "blue"])
    scores = critic(z, tokens)
    backwards = z.view(2, 3, 4).flip(1).flatten(1)
    assert (critic(backwards, tokens) - scores).abs().min() > 1e-4
    assert (critic(z, tokens.flip(0)) - scores).abs().min() > 1e-4


@torch.no_grad()
def test_without_its_game_the_prior_covers_the_same_codes():
    model = VideoModel(recipe="latent_tfgan", weights={"match_prior_c": 0}, video=CONFIG)
    recipe = model.resolved_recipe
    networks = build(CONFIG, 16, FRAMES, 2, recipe)
    assert not recipe.critics and "prior" in networks
    batch = Batch(torch.rand(2, 3, FRAMES, 16, 16), CAPTIONS.encode(["red", "blue"]))
    (cover,) = (term for term in recipe.terms if term.name == "cover_prior")
    assert cover(Passes(networks, batch)).shape == (2,)


def test_the_game_trains_the_prior_and_the_reconstruction_the_autoencoder():
    """The losses of the game and of what covers the data reach neither encoder nor decoder."""
    recipe = VideoModel(recipe="latent_tfgan", video=CONFIG).resolved_recipe
    networks = build(CONFIG, 16, FRAMES, 2, recipe)
    rate = Optimisation(learning_rate=1e-3)
    state = TrainState(networks, recipe, rate, rate)
    batch = Batch(torch.rand(3, 3, FRAMES, 16, 16), CAPTIONS.encode(["red", "blue", "red blue"]))
    passes = Passes(networks, batch)
    terms = {term.name: term for term in recipe.terms}
    (terms["match_prior_c"](passes) + terms["cover_prior"](passes)).mean().backward()
    reached = {
        n for n, net in networks.items() if any(p.grad is not None for p in net.parameters())
    }
    assert reached == {"prior", "condition", "critic_prior_c"}
    before = {name: p.detach().clone() for name, p in networks.named_parameters()}
    learner_step(state, batch)
    moved = {
        n.split(".")[0] for n, p in networks.named_parameters() if not torch.equal(p, before[n])
    }
    assert moved == {"encoder", "decoder", "prior", "condition"}
    critic_step(state, batch)
    head = networks["critic_prior_c"].get_parameter("head.weight")
    assert not torch.equal(head, before["critic_prior_c.head.weight"])
