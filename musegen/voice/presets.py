"""Named configurations: what each is for, what to expect of it, what it costs.

pianoreel voice train DATA --preset small --to RUN
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
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.papers import ENGEL_2019
from musegen.voice.recipes import RECIPES

PAPER = f"Engel et al., {ENGEL_2019.title}, ICLR 2019"
LEARNER = Optimisation(learning_rate=1e-3, betas=(0.9, 0.99), clip_norm=1e4)
GAME = Optimisation(learning_rate=8e-4, betas=(0.0, 0.99))
"""GANSynth's Adam, for learner and critic."""
SMALL = WARMUP_COSINE.replace(minutes=60, batch_size=16, warmup_steps=100, bf16=False)
MODELS: Mapping[str, Mapping[str, Any]] = merged(
    with_r1(unregularised(RECIPES), r1=1.0),
    {
        "gansynth": {"voice": {"decoder": "maps", "level_steps": 1000}},
        "timbre_vae": {"weights": {"match_z": 10.0}},
        "timbre_vae_gan": {"weights": {"match_z": 10.0}},
    },
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        purpose="the smallest networks that have every part: for tests and for trying a command",
        paper=PAPER,
        expected="a hum",
        cost="seconds on one CPU core",
        networks={
            "voice": VoiceConfig(
                window=128, latent=4, channels=2, critic_channels=2, width=16, pitch=4
            )
        },
        adversarial=SMOKE_TEST.replace(learner=GAME, critic=GAME),
        non_adversarial=SMOKE_TEST.replace(learner=LEARNER),
        models=MODELS,
    ),
    "small": Preset(
        purpose="notes of 1 s at 16 kHz on a CPU",
        paper=PAPER + "; sizes of our own",
        expected="of twenty instruments 98 to 100 % of notes at their pitch, held-out ones too; "
        "four in ten known timbres taken for another instrument",
        cost="half an hour on one CPU core",
        networks={"voice": VoiceConfig()},
        adversarial=SMALL.replace(learner=GAME, critic=GAME),
        non_adversarial=SMALL.replace(learner=LEARNER),
        models=MODELS,
        training={"timbre_vae_gan": SMALL.replace(learner=LEARNER, critic=GAME)},
        steps=750,  # every note measured was at its pitch
        steps_of={"gansynth": 20_000},  # estimated: after 52 none was
        before="noise and hums",
    ),
    "base": Preset(
        purpose="notes of 4 s at 16 kHz on a GPU: x is 128 x 1024 x 2, as in the paper",
        paper=PAPER,
        expected="not measured yet: needs a GPU",
        cost="days on one GPU",
        networks={
            "voice": VoiceConfig(
                window=2048, latent=256, channels=32, critic_channels=32, width=512, pitch=64
            )
        },
        adversarial=SMALL.replace(
            minutes=None, steps=1_000_000, batch_size=8, ema_decay=0.999, learner=GAME, critic=GAME
        ),
        non_adversarial=SMALL.replace(
            minutes=None, steps=200_000, ema_decay=0.999, learner=LEARNER
        ),
        models=merged(MODELS, {"gansynth": {"voice": {"level_steps": 100_000}}}),
        before="noise and hums",
    ),
}
