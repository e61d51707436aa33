"""Seeds and songs as places in a model's latent space, and places as music."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from core.app.commands import leading_run
from core.app.latent import LatentPoints
from core.data.sources import RejectedFile
from core.errors import UserError
from musegen.files.midi import read_midi
from musegen.files.picture import draw_phrases
from musegen.files.song import write_song
from musegen.model import DOMAIN, Model
from musegen.roll import Phrases, Roll

TEMPO_BPM = 120.0
BESIDE = 4
"""Phrases of a song that are drawn beside what became of them."""


def open_model(told: list[str], count: int | None, device: str) -> tuple[Model, list[str]]:
    """The model that was told first, else the musegan that ships, and the places told."""
    run, rest = leading_run(DOMAIN, told, count)
    return Model.load(run or "musegan", device), rest


@torch.no_grad()
def points_of(model: Model, told: str) -> LatentPoints:
    """The places of a MIDI file's phrases, or the one that the prior draws for a seed's number."""
    if told.isdecimal():
        return model.space.draw(1, None, int(told))
    return model.encode(read_phrases(model, Path(told)))


def read_phrases(model: Model, path: Path) -> Phrases:
    """A song's phrases in the model's form; the last one is filled up with silence."""
    return np.stack(list(_phrases(model, path)))


def _phrases(model: Model, path: Path) -> Iterator[np.ndarray]:
    spec = model.spec
    try:
        cells = read_midi(path, spec.tracks, spec.grid).roll().cells
    except RejectedFile as error:
        raise UserError(f"{path}: {error.detail}") from error
    for first in range(0, cells.shape[1], spec.bars):
        part = cells[:, first : first + spec.bars]
        missing = spec.bars - part.shape[1]
        yield np.pad(part, ((0, 0), (0, missing), (0, 0), (0, 0)))


def write_points(model: Model, points: LatentPoints, name: str, to: Path, seed: int) -> None:
    """Write places as one song, phrase after phrase, and print what was written."""
    write_phrases(model, model.decode(points, seed), name, to)


def write_phrases(model: Model, phrases: Phrases, name: str, to: Path) -> None:
    """Write phrases as one song, and print what was written."""
    cells = np.concatenate(list(phrases), axis=1)
    tempo_bpm = np.full(cells.shape[1], TEMPO_BPM)
    to.mkdir(parents=True, exist_ok=True)
    for path in write_song(Roll(cells, model.spec.tracks, model.spec.grid, tempo_bpm, name), to):
        print(path)


def write_beside(
    model: Model, path: Path, to: Path, prefix: str, change: Callable[[Phrases], Phrases]
) -> None:
    """Write what becomes of a song, and a picture of its first phrases both ways; print what was
    written."""
    heard = read_phrases(model, path)
    made = change(heard)
    name = f"{prefix}-{path.stem}"
    write_phrases(model, made, name, to)
    rolls = [
        replace(roll, name=f"{title}, phrase {number + 1}")
        for title, cells in ((path.name, heard), (prefix, made))
        for number, roll in enumerate(model.rolls(cells[:BESIDE]))
    ]
    draw_phrases(rolls, to / f"{name}-both.png", columns=len(rolls) // 2)
    print(to / f"{name}-both.png")
