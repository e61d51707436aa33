"""Named configurations: what each is for, what to expect of it, what it costs.

pianoreel video train --shapes --preset small --to RUN
"""

from collections.abc import Mapping
from typing import Any

from core.config import merged
from core.training.optimisation import Optimisation
from core.training.presets import (
    SMOKE_TEST,
    WARMUP_COSINE,
    Preset,
    unregularised,
    with_r1,
)
from videogen.networks.config import VideoConfig
from videogen.networks.text import TextConfig
from videogen.recipes import RECIPES

SHAPES_SIZE = {"tiny": 16, "small": 32, "base": 64}
"""Height and width of moving shapes for each preset; other data bring their own."""

LI = "Li, Min, Shen, Carlson and Carin, Video Generation from Text, AAAI 2018"
LEARNER = Optimisation(learning_rate=1e-3, betas=(0.9, 0.99))
CRITIC = Optimisation(learning_rate=4e-4, betas=(0.0, 0.99))
LONG = WARMUP_COSINE.replace(
    minutes=None, steps=60_000, warmup_steps=500, ema_decay=0.999, sample_every_steps=1000
)

GAMES_ALONE = ("text_to_video", "tfgan", "mocogan", "vgan")
"""Models whose clips a game alone teaches."""

GREY = "grey and blurred clips"

DECODERS: Mapping[str, Mapping[str, Any]] = {
    "tfgan": {"decoder": "path"},
    "tfgan_vae": {"decoder": "path"},
    "mocogan": {"decoder": "path", "captions": False},
    "vgan": {"decoder": "streams"},
    "latent_tfgan": {"decoder": "moments", "latent": 32},
    "super_resolution": {"decoder": "enlarged", "captions": False},
}
"""Settings of the networks of models whose decoder makes no gist."""

MODELS = merged(
    with_r1(unregularised(RECIPES), r1=1.0),
    {name: {"video": settings} for name, settings in DECODERS.items()},
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        purpose="the smallest networks that have every part: for tests and for trying a command",
        paper=LI,
        expected="blots",
        cost="seconds on one CPU core",
        networks={
            "video": VideoConfig(
                latent=8, channels=4, critic_channels=4, width=32, text=TextConfig(width=16)
            )
        },
        adversarial=SMOKE_TEST.replace(learner=LEARNER, critic=CRITIC),
        non_adversarial=SMOKE_TEST.replace(learner=LEARNER),
        models=MODELS,
    ),
    "small": Preset(
        purpose="clips of 32x32 pixels and 16 frames on a CPU",
        paper=LI + "; sizes of our own",
        expected="of moving shapes all five attributes in 88 % of clips after 15 minutes, in 99 % "
        "after 90; of a small collection of people who and what after 70",
        cost="an hour and a half on two CPU cores",
        networks={"video": VideoConfig(seen_frames=8, tries=4, text=TextConfig(reader="ngrams"))},
        adversarial=WARMUP_COSINE.replace(minutes=90, learner=LEARNER, critic=CRITIC),
        non_adversarial=WARMUP_COSINE.replace(minutes=90, learner=LEARNER),
        models=MODELS,
        steps=1500,  # people are recognised; moving shapes after 3,300 in 89 % of clips
        steps_of=dict.fromkeys(GAMES_ALONE, 20_000),  # estimated: after 1,500 in 4 %
        before=GREY,
    ),
    "base": Preset(
        purpose="clips of 64x64 pixels and 16 frames on a GPU",
        paper=LI + "; sizes of our own",
        expected="of a small collection of people who and what in 99 % after 2,200 steps of "
        "gist_flow_edges",
        cost="an hour on one GPU, of tfgan six",
        networks={
            "video": VideoConfig(
                latent=64,
                channels=96,
                critic_channels=64,
                width=512,
                seen_frames=8,
                tries=4,
                text=TextConfig(reader="ngrams", width=256),
            )
        },
        adversarial=LONG.replace(learner=LEARNER, critic=CRITIC),
        non_adversarial=LONG.replace(learner=LEARNER),
        models=MODELS,
        steps=2200,  # people are recognised
        steps_of=dict.fromkeys(GAMES_ALONE, 20_000),  # estimated
        before=GREY,
    ),
}
