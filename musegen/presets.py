"""Named configurations: what each is for, what to expect of it, what it costs.

pianoreel music train DATA --preset small --to RUN
"""

from core.config import merged
from core.training.loop import TrainConfig
from core.training.optimisation import Optimisation
from core.training.presets import SMOKE_TEST, WARMUP_COSINE, Preset, unregularised, with_r1
from musegen.bar_latents.autoencoder import BarLatentsConfig
from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.note_transformer import DensityConfig
from musegen.networks.bar_generators import MuseGANConfig
from musegen.recipes import RECIPES

MUSEGAN = "Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018"
GAME = Optimisation(learning_rate=5e-4, betas=(0.0, 0.9))
LATENTS = Optimisation(learning_rate=1e-3, betas=(0.5, 0.95))
LATENT_CRITIC = Optimisation(learning_rate=4e-4, betas=(0.5, 0.95))
LIKELIHOOD = Optimisation(
    learning_rate=1e-3, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=150.0
)
LOOKBACK = Optimisation(
    learning_rate=1.5e-3, betas=(0.9, 0.95), weight_decay=0.05, clip_norm=400.0
)

RANDOM = "notes as if by chance"

MODELS = with_r1(unregularised(RECIPES), r1=10.0)
MODELS["latent_musegan"] = {"stabilisers": {"r1": 1.0}}
MODELS["cyclegan"] = {"game": "wgan_gp", "critic_steps": 2}
JUDGED = merged(MODELS, {"lookback_rnn": {"tries": 8}, "latent_musegan": {"tries": 4}})
"""Songs of `tiny` are not worth a judge."""

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        purpose="the smallest networks that have every part: for tests and for trying a command",
        paper=MUSEGAN,
        expected="noise",
        cost="seconds on one CPU core",
        networks={
            "musegan": MuseGANConfig(latent=8, channels=4, critic_channels=4),
            "density": DensityConfig(width=16, layers=1, heads=2),
            "lookback": LookbackConfig(width=16, heads=2),
            "bar_latents": BarLatentsConfig(
                rhythm=4, notes=8, touch=2, channels=8, width=16, latent=8, hidden=16
            ),
        },
        adversarial=SMOKE_TEST.replace(learner=GAME, critic=GAME),
        non_adversarial=SMOKE_TEST.replace(learner=LIKELIHOOD),
        models=MODELS,
    ),
    "small": Preset(
        purpose="a few hundred songs on a CPU",
        paper=MUSEGAN + "; half its channels",
        expected="on 300 songs, 4 steps a beat: distance of phrases 0.24 for musegan in 160 "
        "steps, 0.10 to 0.13 for note_transformer after 600 to 1000 (held-out songs: 0.10); on "
        "phrases of 16 bars 0.13 for lookback_rnn after 640",
        cost="an hour on two CPU cores",
        networks={
            "musegan": MuseGANConfig(channels=32, critic_channels=32),
            "density": DensityConfig(),
            "lookback": LookbackConfig(),
            "bar_latents": BarLatentsConfig(),
        },
        adversarial=TrainConfig(
            minutes=60,
            batch_size=64,
            learner=GAME,
            critic=GAME,
            ema_decay=0.99,
            bf16=True,
            sample_every_steps=200,
        ),
        non_adversarial=WARMUP_COSINE.replace(batch_size=32, learner=LIKELIHOOD),
        models=JUDGED,
        training={
            "lookback_rnn": WARMUP_COSINE.replace(
                batch_size=4, learner=LOOKBACK, warmup_steps=50, ema_decay=0.995, bf16=False
            ),
            "latent_musegan": WARMUP_COSINE.replace(
                batch_size=16,
                learner=LATENTS,
                critic=LATENT_CRITIC,
                warmup_steps=100,
                ema_decay=0.995,
                bf16=False,
            ),
        },
        steps=500,  # estimated; the others are measured
        steps_of={
            "musegan": 160,
            "autoregressive": 600,
            "lookback_rnn": 640,
            "latent_musegan": 2800,
        },
        before=RANDOM,
    ),
    "base": Preset(
        purpose="the paper's sizes, for a large collection",
        paper=MUSEGAN,
        expected="not measured yet: needs a GPU and a collection of many thousand songs",
        cost="a day on one GPU",
        networks={
            "musegan": MuseGANConfig(channels=128, critic_channels=128),
            "density": DensityConfig(width=512, layers=8, heads=8),
            "lookback": LookbackConfig(width=768, layers=2, heads=12),
            "bar_latents": BarLatentsConfig(channels=192, width=640, hidden=512),
        },
        adversarial=TrainConfig(steps=50_000, batch_size=64, learner=GAME, critic=GAME, bf16=True),
        non_adversarial=WARMUP_COSINE.replace(
            minutes=None,
            steps=100_000,
            learner=LIKELIHOOD,
            warmup_steps=1000,
            ema_decay=0.999,
            sample_every_steps=1000,
        ),
        models=JUDGED,
        training={
            "lookback_rnn": WARMUP_COSINE.replace(
                minutes=None,
                steps=100_000,
                batch_size=64,
                learner=LOOKBACK,
                warmup_steps=1000,
                ema_decay=0.999,
                bf16=False,
                sample_every_steps=1000,
            ),
            "latent_musegan": WARMUP_COSINE.replace(
                minutes=None,
                steps=50_000,
                batch_size=48,
                learner=LATENTS,
                critic=LATENT_CRITIC,
                warmup_steps=1000,
                ema_decay=0.999,
                bf16=False,
                sample_every_steps=1000,
            ),
        },
        steps=5000,  # estimated
        before=RANDOM,
    ),
}
