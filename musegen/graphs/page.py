"""Facts of a model by which a page composes with its graph: see `gallery.composer`."""

from typing import Any

import torch

from core.errors import UserError
from core.exchange.graph import Graph
from core.training.device import isolated_random_state
from musegen.configuration import DataSpec

FORMS = 64
"""Forms from which a page draws."""


def facts_of(name: str, spec: DataSpec, graph: Graph) -> dict[str, Any]:
    """Return the facts of a graph of noise and a form, as plain values.

    `UserError` for another graph.
    """
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(0)
        examples = graph.examples(FORMS)
    if examples.keys() != {"noise", "form"}:
        raise UserError(f"{name} makes no song of noise and a form: take latent_musegan")
    return {
        "name": name,
        "noise": examples["noise"].shape[1],
        "forms": examples["form"].tolist(),
        "tempi": list(spec.tempi_bpm),
        "tracks": [track.name for track in spec.tracks],
        "programs": [track.program for track in spec.tracks],
        "drums": [number for number, track in enumerate(spec.tracks) if track.is_drum],
        "lowest": spec.grid.lowest_pitch,
        "steps": spec.grid.steps_per_quarter,
    }
