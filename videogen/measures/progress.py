"""Progress: how models of clips are measured while they train."""

from collections.abc import Callable

from core.app.domain import Examples
from core.data.collection import RECORDED
from videogen.data.collection import Collection
from videogen.files.clip import to_clips
from videogen.measures.evaluation import reconstruction_of
from videogen.model import Model
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.judge import agreement

MEASURED, MOST_VALUES = 128, 2**25
"""Clips that are sampled and judged, or reconstructed, and the most values of the latter."""

Measure = Callable[[Model], dict[str, float]]


def agreement_of(data: MovingShapes, seed: int) -> Measure:
    """Return the measure of how many captions of moving shapes the judge reads in samples.

    `distance` is the share that it misreads.
    """
    captions = data.batch(1, MEASURED, seed + 1)[1]

    def measure(model: Model) -> dict[str, float]:
        if not model.draws:
            return {}
        facts = agreement(captions, model.sampled_like(Examples(captions, captions), seed))
        return {**facts, "distance": 1 - facts["all"]}

    return measure


def reconstructions_of(data: Collection, seed: int) -> Measure:
    """Return the measure of how much of real clips' variance reconstructions explain, by split.

    A model that knows its clips by heart loses held-out ones. There is no `distance`: later
    checkpoints may be sharper, earlier ones compose better, and which is wanted is not known.
    """
    count = max(2, min(MEASURED, MOST_VALUES // (3 * data.frames * data.size**2)))

    def measure(model: Model) -> dict[str, float]:
        if "encoder" not in model.networks:
            return {}
        explained: dict[str, float] = {}
        for split in data.splits:
            frames, captions = data.batch(0, count, seed, split)
            share = reconstruction_of(model, to_clips(frames), captions)
            explained[f"reconstruction_{RECORDED[split]}"] = share
        return explained

    return measure
