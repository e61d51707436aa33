"""Models of each domain that are not trained: small networks of random weights."""

from collections.abc import Sequence
from typing import Any

import torch

from core.app.domain import Domain
from core.app.model import Model
from core.config import layered, resolve
from core.ring.model import DOMAIN as RING
from core.theory.passes import Networks, is_critic
from musegen.model import DOMAIN as MUSIC
from musegen.roll import Grid
from musegen.tracks import LAKH
from musegen.voice.model import DOMAIN as VOICE
from videogen.model import DOMAIN as VIDEO

SPECS: dict[str, dict[str, Any]] = {
    "music": {
        "grid": Grid(steps_per_beat=2, beats_per_bar=2).model_dump(mode="json"),
        "tracks": [track.model_dump(mode="json") for track in LAKH[:3]],
        "bars": 3,
    },
    "video": {
        "size": 16,
        "frames": 5,
        "frames_per_second": 4.0,
        "words": ["a", "dog", "runs", "and"],
        "examples": ["a dog runs", "a dog", "runs and a dog runs and runs"],
    },
    "voice": {"sample_rate_hz": 4000, "samples": 1200, "lowest": 60, "highest": 62},
    "ring": {"labels": 8},
}


def untrained(domain: Domain, recipe: str, assignments: Sequence[str] = ()) -> Any:
    """Return a model of the tiny preset, of a recipe, with random weights."""
    torch.manual_seed(3)
    preset = domain.presets["tiny"].values(recipe, domain.recipes[recipe])
    values = layered(preset, {}, {"spec": SPECS[domain.name]}, assignments)
    config: Any = resolve(domain.config, values, "a test")
    parts = domain.networks(config).items()
    networks = Networks({name: part for name, part in parts if not is_critic(name)})
    model: Model = domain.model(networks.eval(), config.model, config.spec, f"tiny_{recipe}")
    return model


GENERATORS: dict[str, tuple[Domain, str, Sequence[str]]] = {
    "ring of a flow": (RING, "realnvp", ()),
    "ring with labels": (RING, "cvae", ()),
    "musegan": (MUSIC, "musegan", ()),
    "accompaniment": (MUSIC, "musegan", ["model.musegan.given=[piano]"]),
    "bar latents": (MUSIC, "latent_musegan", ()),
    "notes": (MUSIC, "lookback_rnn", ()),
    "notes of a voice": (VOICE, "timbre_vae", ()),
    "notes of a generator that grows": (VOICE, "gansynth", ()),
    "clips of a gist": (VIDEO, "gist_flow", ()),
    "clips of clauses": (VIDEO, "text_to_video", ["model.video.clauses=2"]),
    "clips of n-grams": (VIDEO, "gist_flow", ["model.video.text.reader=ngrams"]),
    "clips of a wake and a sleep": (VIDEO, "wake_sleep", ()),
    "clips of a standard prior": (VIDEO, "vae", ()),
    "clips of a path": (VIDEO, "mocogan", ()),
    "clips of a path of captions": (VIDEO, "tfgan", ()),
    "clips of a path with an encoder": (VIDEO, "tfgan_vae", ()),
    "clips of streams": (VIDEO, "vgan", ()),
}
"""A model of each family whose generator is a graph."""
