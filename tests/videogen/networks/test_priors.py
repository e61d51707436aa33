"""p(z given c) of each recipe of video: learned by KL, or the standard normal distribution."""

import pytest
import torch

from core.networks.heads import StandardNormal
from core.theory.passes import Batch
from core.training.optimisation import Optimisation
from core.training.step import TrainState, step
from videogen.configuration import VideoModel
from videogen.model import DOMAIN
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.text import Captions, TextConfig
from videogen.presets import DECODERS

MODEL = VideoModel(
    recipe="gan",
    video=VideoConfig(
        latent=8, channels=4, critic_channels=4, width=16, filters=2, text=TextConfig(width=4)
    ),
)
WORDS = ("red", "blue")
DRAWING = [
    name
    for name, known in DOMAIN.recipes.items()
    if known.needs <= DOMAIN.offers and "prior" in known.networks
]
LEARNED = {
    *("vae", "beta_vae", "hierarchical_vae", "cvae", "vae_flow", "vae_gan", "aavae"),
    *("vq_vae", "vq_vae_2", "gist", "gist_flow", "gist_gan", "gist_flow_gan", "tfgan_vae"),
    *("gist_flow_patches", "gist_flow_edges", "gist_flow_sharp"),
    *("text_to_video", "latent_tfgan"),
}
"""Kingma and Welling's bound with Sohn et al.'s prior, the priors over codes, and a game."""


def model_of(name: str) -> VideoModel:
    """The model with the decoder that its recipe needs."""
    settings = DECODERS.get(name, {}) if name == "latent_tfgan" else {}
    return MODEL.replace(recipe=name, video=MODEL.video.replace(**settings))


def test_the_recipes_that_learn_their_prior():
    learned = {n for n in DRAWING if model_of(n).resolved_recipe.learns_prior}
    assert learned == LEARNED


@pytest.mark.parametrize("name", DRAWING)
def test_a_prior_is_learned_or_standard_normal(name: str):
    model = model_of(name)
    recipe = model.resolved_recipe
    torch.manual_seed(0)
    rate = Optimisation(learning_rate=1e-3)
    state = TrainState(build(model.video, 16, 2, len(WORDS), recipe), recipe, rate, rate)
    captions = Captions(WORDS).encode(["red", "blue", "a red one"])
    batch = Batch(torch.rand(3, 3, 2, 16, 16), captions)
    before = {key: p.detach().clone() for key, p in state.networks["prior"].named_parameters()}
    for number in range(2):
        step(state, lambda draw: batch, number, seed=1)
    if name in LEARNED:
        now = dict(state.networks["prior"].named_parameters())
        assert any(not torch.equal(p, now[key]) for key, p in before.items())
        return
    assert not before
    if isinstance(state.networks["prior"], StandardNormal):
        prior = state.networks["prior"](3, state.networks["condition"](captions))
        assert not prior.mean.any()
        assert not prior.log_std.any()


def test_a_hierarchical_prior_begins_as_a_standard_normal():
    """Its layers set their own weights: of deviation 0.01, times the root of 128 units."""
    model = model_of("hierarchical_vae")
    torch.manual_seed(0)
    networks = build(model.video, 16, 2, len(WORDS), model.resolved_recipe)
    c = networks["condition"](Captions(WORDS).encode(["red", "blue", "a red one"]))
    prior = networks["prior"](3, c)
    for level in (prior.top, prior.bottom(torch.randn(3, 4))):
        assert max(level.mean.abs().max(), level.log_std.abs().max()) < 0.3
