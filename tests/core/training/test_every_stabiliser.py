"""Every stabiliser on every recipe that plays a game, on the ring, on rolls and on clips."""

import copy
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from core.app.domain import Domain
from core.errors import ConfigError
from core.networks.critics import MinibatchDiscrimination
from core.recipe import Recipe
from core.ring import eight_gaussians as ring
from core.ring.benchmark import adapting, on_the_ring
from core.theory.adversarial import wasserstein
from core.theory.passes import Batch, Networks, Point
from core.training.optimisation import Optimisation
from core.training.stabilisers import Stabilisers
from core.training.step import TrainState, game, step
from musegen.configuration import MusicModel
from musegen.model import DOMAIN as MUSIC
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.musegan import build as build_music
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS
from videogen.configuration import VideoModel
from videogen.model import DOMAIN as VIDEO
from videogen.networks.build import build as build_video
from videogen.networks.config import VideoConfig
from videogen.networks.text import Captions, TextConfig

CLIPS = VideoModel(
    recipe="gan",
    video=VideoConfig(
        latent=4, channels=4, critic_channels=4, width=16, filters=2, text=TextConfig(width=4)
    ),
)
PHRASES = MusicModel(recipe="gan", musegan=MuseGANConfig(latent=4, channels=2, critic_channels=2))
GRID = Grid(beats_per_bar=2, steps_per_beat=2, lowest_pitch=36, pitches=24)
TRACKS = TRACK_LISTS["lakh"][:2]
SIZE, FRAMES, BARS, BATCH = 16, 2, 2, 3
WORDS = ("red", "blue", "circle")

ON = {
    "feature_matching": Stabilisers(feature_matching=0.5),
    "minibatch_discrimination": Stabilisers(minibatch_discrimination=2),
    "historical_averaging": Stabilisers(historical_averaging=3.0),
    "label_smoothing": Stabilisers(label_smoothing=0.2),
    "spectral_norm": Stabilisers(spectral_norm=True),
    "instance_noise": Stabilisers(instance_noise=0.2),
    "r1": Stabilisers(r1=2.0),
    "gradient_penalty": Stabilisers(gradient_penalty=1.0),
    "clip": Stabilisers(clip=0.02),
    "augment": Stabilisers(augment=True),
    "pool": Stabilisers(pool=2),
}


def of_clips(name: str) -> VideoModel:
    decoder = "moments" if name == "latent_tfgan" else "gist"
    return CLIPS.replace(recipe=name, video=CLIPS.video.replace(decoder=decoder))


def resolved(where: str, name: str) -> Recipe:
    model = of_clips(name) if where == "clips" else PHRASES.replace(recipe=name)
    return model.resolved_recipe


def build(where: str, name: str) -> Networks:
    recipe = resolved(where, name)
    if where == "clips":
        return build_video(of_clips(name).video, SIZE, FRAMES, len(WORDS), recipe)
    if where == "phrases":
        return build_music(PHRASES.musegan, GRID, TRACKS, BARS, recipe)
    return ring.networks(recipe)


def batches(where: str, recipe: Recipe) -> Callable[[int], Batch]:
    if where == "ring":
        return ring.batches(recipe)
    shape = {
        "clips": (BATCH, 3, FRAMES, SIZE, SIZE),
        "phrases": (BATCH, 2, 2, BARS, GRID.steps_per_bar, GRID.pitches),
    }[where]

    def draw(number: int) -> Batch:
        torch.manual_seed(number)
        x, other = (torch.rand(shape) < 0.2).float(), (torch.rand(shape) < 0.3).float()
        if recipe.other:
            return Batch(x, other=other)
        captions = Captions(WORDS).encode(["red circle", "a blue one", "blue"])
        return Batch(x, captions if where == "clips" else None)

    return draw


OF_OTHER_NETWORKS = ("latent_musegan",)
"""It plays over forms and latents of bars, which the networks of rolls do not have."""


def games(domain: Domain) -> list[str]:
    """The recipes of a domain that play a game."""
    known = domain.recipes
    played = [name for name in known if known[name].critics and known[name].needs <= domain.offers]
    return [name for name in played if name not in OF_OTHER_NETWORKS]


PLAYED = [
    *(("ring", name) for name in [*on_the_ring(), *adapting()] if resolved("ring", name).critics),
    *(pytest.param("phrases", name, marks=pytest.mark.slow) for name in games(MUSIC)),
    *(pytest.param("clips", name, marks=pytest.mark.slow) for name in games(VIDEO)),
]


@cache
def built(where: str, name: str) -> Networks:
    torch.manual_seed(1)
    return build(where, name)


def trained(where: str, name: str, stabilisers: Stabilisers | None, steps: int = 1) -> TrainState:
    """A recipe after its first steps, all of which are finite."""
    recipe, networks = resolved(where, name), copy.deepcopy(built(where, name))
    torch.manual_seed(2)
    chosen = stabilisers or Stabilisers()
    if stabilisers:
        recipe, networks = stabilisers.on(recipe), stabilisers.fit(networks)
    averaging, pool = chosen.historical_averaging, chosen.pool
    rate = Optimisation(learning_rate=1e-3)
    state = TrainState(networks, recipe, rate, rate, historical_averaging=averaging, pool=pool)
    draw = batches(where, recipe)
    for number in range(steps):
        assert not step(state, draw, number, seed=3)["skipped"]
    return state


@cache
def plain(where: str, name: str, steps: int = 1) -> TrainState:
    return trained(where, name, None, steps)


def differ(state: TrainState, other: TrainState) -> bool:
    """Return True where some weight differs, or there are others."""
    a, b = state.networks.state_dict(), other.networks.state_dict()
    return a.keys() != b.keys() or any(not torch.equal(value, b[key]) for key, value in a.items())


@pytest.mark.parametrize(("where", "name"), PLAYED)
def test_switched_off_nothing_differs_to_the_bit(where: str, name: str):
    assert not differ(trained(where, name, Stabilisers()), plain(where, name))


def calls_of(critic: nn.Module, run: nn.Module, point: Point) -> Counter[nn.Module]:
    """Count how often each layer of a critic is called while `run` reads samples."""
    calls: Counter[nn.Module] = Counter()
    hooks = [
        layer.register_forward_hook(lambda layer, *_: calls.update([layer]))
        for layer in critic.modules()
        if layer is not critic
    ]
    run(*point)
    for hook in hooks:
        hook.remove()
    return calls


@pytest.mark.parametrize(("where", "name"), PLAYED)
def test_a_critic_beside_its_batch_is_computed_once(where: str, name: str):
    """Each layer is called as often as without; features and scores are the same."""
    recipe, networks = resolved(where, name), copy.deepcopy(built(where, name)).eval()
    passes = recipe.passes(networks, batches(where, recipe)(0))
    for term in recipe.critics:
        critic, point = networks[term.critic_name], passes.reference(term.space)
        beside = MinibatchDiscrimination(critic, kernels=2)
        assert calls_of(critic, beside, point) == calls_of(critic, critic, point)
        nn.init.zeros_(beside.score.weight)
        features, scores = beside.features_and_scores(*point)
        assert torch.equal(features, critic.features(*point))  # type: ignore[operator]
        assert torch.equal(scores, critic(*point))


LATENT = ("z", "domain", "prior_c")


def acts(stabiliser: str, recipe: Recipe) -> bool:
    """Latents are not augmented, and features are matched by what a game trains."""
    if stabiliser == "augment":
        return any(term.space not in LATENT for term in recipe.critics)
    return stabiliser != "feature_matching" or any(term.trains for term in recipe.critics)


STEPS = {"historical_averaging": 2, "pool": 4}
"""Steps that are needed: at first the average is the weights, and the pool fills."""


@pytest.mark.parametrize("stabiliser", ON)
@pytest.mark.parametrize(("where", "name"), PLAYED)
def test_a_stabiliser_changes_a_game_and_keeps_it_finite(where: str, name: str, stabiliser: str):
    recipe = resolved(where, name)
    if stabiliser == "label_smoothing" and any(
        game(t).game is wasserstein for t in recipe.critics
    ):
        with pytest.raises(ConfigError, match="Wasserstein"):
            ON[stabiliser].on(recipe)
        return
    steps = STEPS.get(stabiliser, 1)
    state = trained(where, name, ON[stabiliser], steps)
    assert all(torch.isfinite(v).all() for v in state.networks.state_dict().values())
    assert differ(state, plain(where, name, steps)) == acts(stabiliser, recipe)


PATCHED = [("phrases", "cyclegan", BARS), ("clips", "cyclegan", 16), ("clips", "pix2pix", 16)]
"""Games of patches: bars of a phrase, or 4 x 4 patches of a clip of 16 x 16 pixels."""


@pytest.mark.parametrize(("where", "name", "patches"), PATCHED)
def test_a_step_plays_the_game_of_each_patch(where: str, name: str, patches: int):
    """The critic's loss is the mean over samples and patches, and all networks move."""
    recipe, networks = resolved(where, name), copy.deepcopy(built(where, name))
    before, rate = copy.deepcopy(networks), Optimisation(learning_rate=1e-3)
    state, draw = TrainState(networks, recipe, rate, rate), batches(where, recipe)
    losses = step(state, draw, 0, seed=3)
    term = recipe.critics[0]
    with torch.no_grad():
        passes = recipe.passes(before, draw(0))  # which seeds, in the step too
        points = passes.reference(term.space), passes.produced(term.space)
        real, fake = (passes.score(term.critic_name, point) for point in points)
    assert real.shape == fake.shape == (BATCH, patches)
    expected = game(term).game(real, fake).mean().item()
    assert losses[f"{term.critic_name}_game"] == pytest.approx(expected, rel=1e-4)
    whole = game(term).game(real.mean(1), fake.mean(1)).mean().item()
    assert abs(whole - expected) > 1e-5
    for part in ("decoder", *(term.critic_name for term in recipe.critics)):
        a, b = (one[part].state_dict() for one in (before, networks))
        assert any(not torch.equal(a[key], b[key]) for key in a)
