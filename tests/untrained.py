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


def generators() -> dict[str, Any]:
    """Return a model of each family whose generator is a graph, by a name."""
    return {
        "ring of a flow": untrained(RING, "realnvp"),
        "ring with labels": untrained(RING, "cvae"),
        "musegan": untrained(MUSIC, "musegan"),
        "accompaniment": untrained(MUSIC, "musegan", ["model.musegan.given=[piano]"]),
        "bar latents": untrained(MUSIC, "latent_musegan"),
        "notes": untrained(MUSIC, "lookback_rnn"),
        "clips of a gist": untrained(VIDEO, "gist_flow"),
        "clips of clauses": untrained(VIDEO, "text_to_video", ["model.video.clauses=2"]),
        "clips of a path": untrained(VIDEO, "mocogan"),
    }
