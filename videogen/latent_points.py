"""Sentences and videos as places in a model's latent space, and places as clips."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from core.app.commands import leading_run
from core.app.latent import LatentPoints
from core.data.sources import RejectedFile
from core.errors import UserError
from videogen.files.clip import Clips, Frames, to_clips, to_frames
from videogen.files.reading import VIDEO, View, read_frames
from videogen.files.render import draw_grid, write_clip
from videogen.files.sources import listing
from videogen.model import DOMAIN, Model


def open_model(told: list[str], count: int | None, device: str) -> tuple[Model, list[str]]:
    """The model that was told first, else the one that ships, and the places told."""
    run, rest = leading_run(DOMAIN, told, count)
    return Model.load(run, device), rest


def is_video(told: str) -> bool:
    """Whether what was told is a video file, and no sentence."""
    return Path(told).suffix.lower() in VIDEO


@torch.no_grad()
def point_of(model: Model, told: str, seed: int = 0) -> LatentPoints:
    """One place: that of a video file, or one that the prior draws for a sentence."""
    if is_video(told):
        frames, caption = read_clip(model, Path(told))
        return model.encode(to_clips(frames[None]), [caption])
    tokens = model.captions.encode([told]).to(model.device)
    return model.space.draw(1, tokens, seed)


def read_clip(model: Model, path: Path) -> tuple[Frames, str]:
    """The first clip of a video in the model's form, and its caption: see `sources`.

    The last frame of a video that is too short stays. `UserError` for what cannot be read.
    """
    spec = model.spec
    view = View(size=spec.size, frames_per_second=spec.frames_per_second)
    (captioned,) = listing([str(path)]).clips
    if captioned.fault:
        raise UserError(f"{path}: {captioned.fault[1]}")
    try:
        film = read_frames(path, view)
    except RejectedFile as error:
        raise UserError(f"{path}: {error.detail}") from error
    shown = np.minimum(np.arange(spec.frames), len(film) - 1)
    return film[shown], captioned.caption


def write_points(
    model: Model, points: LatentPoints, titles: Sequence[str], name: str, to: Path
) -> None:
    """Write the clips of places, and one picture of all; print what was written."""
    clips = model.decode(points)
    to.mkdir(parents=True, exist_ok=True)
    draw_grid(clips, titles, to / f"{name}.png")
    print(to / f"{name}.png")
    for number, (title, frames) in enumerate(zip(titles, to_frames(clips), strict=True)):
        stem = to / f"{name}-{number + 1:03d}"
        for path in write_clip(frames, stem, title, model.spec.frames_per_second):
            print(path)


def write_beside(
    model: Model, path: Path, to: Path, prefix: str, change: Callable[[Clips, list[str]], Clips]
) -> None:
    """Write what becomes of a video's first clip, and a picture of both; print what was."""
    frames, caption = read_clip(model, path)
    real = to_clips(frames[None])
    clip = change(real, [caption])
    to.mkdir(parents=True, exist_ok=True)
    picture = to / f"{prefix}-{path.stem}-both.png"
    draw_grid(torch.cat([real, clip]), [f"{path.name}: {caption}", prefix], picture)
    print(picture)
    stem = to / f"{prefix}-{path.stem}"
    for written in write_clip(to_frames(clip)[0], stem, caption, model.spec.frames_per_second):
        print(written)
