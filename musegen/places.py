"""Seeds and songs as places in a model's latent space, and places as music."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from core.commands import leading_run
from core.config import UserError
from core.latent import Places
from core.sources import RejectedFile
from musegen.midi import read_midi
from musegen.model import DOMAIN, Model
from musegen.render import write_song
from musegen.roll import Roll
from musegen.states import to_cells, to_states

TEMPO_BPM = 120.0

MadePhrases = UInt8[np.ndarray, "phrase track bar step pitch"]


def open_model(told: list[str], count: int | None, device: str) -> tuple[Model, list[str]]:
    """The model that was told first, else the musegan that ships, and the places told."""
    run, rest = leading_run(DOMAIN, told, count)
    return Model.load(run or "musegan", device), rest


@torch.no_grad()
def places_of(model: Model, told: str) -> Places:
    """The places of a MIDI file's phrases, or the one that the prior draws for a seed's number."""
    space = model.space
    if told.isdecimal():
        return space.draw(1, None, int(told))
    phrases = torch.from_numpy(np.stack(list(_phrases(model, Path(told)))))
    return space.encode(to_states(phrases.to(model.device)), None)


def _phrases(model: Model, path: Path) -> Iterator[np.ndarray]:
    """A song's phrases in the model's form; the last one is filled up with silence."""
    form = model.form
    try:
        cells = read_midi(path, form.tracks, form.grid).roll().cells
    except RejectedFile as error:
        raise UserError(f"{path}: {error.detail}") from error
    for first in range(0, cells.shape[1], form.bars):
        part = cells[:, first : first + form.bars]
        missing = form.bars - part.shape[1]
        yield np.pad(part, ((0, 0), (0, missing), (0, 0), (0, 0)))


@torch.no_grad()
def phrases_at(model: Model, places: Places, seed: int = 0) -> MadePhrases:
    """The phrases that the decoder makes of places; where its neurons draw, the seed decides."""
    torch.manual_seed(seed)
    return to_cells(model.space.decode(places).rsample()).cpu().numpy()


def translation(
    run: str, song: Path, back: bool, seed: int, device: str
) -> tuple[Model, MadePhrases]:
    """A song's phrases as a run translates them; `UserError` where it does not."""
    model = Model.load(run, device)
    if not model.translates:
        raise UserError(f"{run} does not translate: train it with --model cyclegan")
    return model, model.again(np.stack(list(_phrases(model, song))), seed, back)


def write_places(model: Model, places: Places, name: str, to: Path, seed: int) -> None:
    """Write places as one song, phrase after phrase, and print what was written."""
    write_phrases(model, phrases_at(model, places, seed), name, to)


def write_phrases(model: Model, phrases: MadePhrases, name: str, to: Path) -> None:
    """Write phrases as one song, and print what was written."""
    cells = np.concatenate(list(phrases), axis=1)
    tempo_bpm = np.full(cells.shape[1], TEMPO_BPM)
    to.mkdir(parents=True, exist_ok=True)
    for path in write_song(Roll(cells, model.form.tracks, model.form.grid, tempo_bpm, name), to):
        print(path)
