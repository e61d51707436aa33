"""Named configurations: what each is for, what to expect of it, what it costs.

pianoreel video train --shapes --preset small --to RUN
"""

from core.learning import Optimisation
from core.model import Preset
from core.train import TrainConfig
from videogen.networks import VideoConfig
from videogen.text import TextConfig

DEFAULT_PRESET = "small"

SHAPES_SIZE = {"tiny": 16, "small": 32, "base": 64}
"""Height and width of moving shapes for each preset; other data bring their own."""

LI = "Li, Min, Shen, Carlson and Carin, Video Generation from Text, AAAI 2018"
LEARNER = Optimisation(learning_rate=1e-3, betas=(0.9, 0.99))
CRITIC = Optimisation(learning_rate=4e-4, betas=(0.0, 0.99))

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        caption="the smallest networks that have every part: for tests and for trying a command",
        paper=LI,
        expected="blots",
        cost="seconds on one CPU core",
        networks={
            "video": VideoConfig(
                latent=8, channels=4, critic_channels=4, width=32, text=TextConfig(width=16)
            )
        },
        games=TrainConfig(
            steps=20,
            batch_size=4,
            learner=LEARNER,
            critic=CRITIC,
            log_every_steps=1,
            sample_every_steps=10,
        ),
        likelihoods=TrainConfig(
            steps=20, batch_size=4, learner=LEARNER, log_every_steps=1, sample_every_steps=10
        ),
    ),
    "small": Preset(
        caption="clips of 32x32 pixels and 16 frames on a CPU",
        paper=LI + "; sizes of our own",
        expected="",
        cost="an hour and a half on two CPU cores",
        networks={"video": VideoConfig()},
        games=TrainConfig(
            minutes=90,
            batch_size=64,
            learner=LEARNER,
            critic=CRITIC,
            warmup_steps=200,
            decay="cosine",
            average_decay=0.99,
            bf16=True,
            sample_every_steps=500,
        ),
        likelihoods=TrainConfig(
            minutes=90,
            batch_size=64,
            learner=LEARNER,
            warmup_steps=200,
            decay="cosine",
            average_decay=0.99,
            bf16=True,
            sample_every_steps=500,
        ),
    ),
    "base": Preset(
        caption="clips of 64x64 pixels and 16 frames on a GPU",
        paper=LI + "; sizes of our own",
        expected="not measured yet: needs a GPU",
        cost="hours on one GPU",
        networks={
            "video": VideoConfig(
                latent=64,
                channels=96,
                critic_channels=64,
                width=512,
                text=TextConfig(width=256, layers=2),
            )
        },
        games=TrainConfig(
            steps=60_000,
            batch_size=64,
            learner=LEARNER,
            critic=CRITIC,
            warmup_steps=500,
            decay="cosine",
            average_decay=0.999,
            bf16=True,
        ),
        likelihoods=TrainConfig(
            steps=60_000,
            batch_size=64,
            learner=LEARNER,
            warmup_steps=500,
            decay="cosine",
            average_decay=0.999,
            bf16=True,
        ),
    ),
}
