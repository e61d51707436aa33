"""Seeds and songs as places: what is read, what is refused, what commands write."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command import run

from core.app.latent_commands import points_of
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.files.midi import write_midi
from musegen.model import Model, train
from musegen.roll import Grid, Roll


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "band"
    prepare_band(3, folder, PrepareConfig(grid=Grid(steps_per_beat=4), bars=3))
    return Collection.open(folder)


@pytest.fixture(scope="module")
def folder(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("runs") / "vae"
    train(data, to, "vae", "tiny", "cpu", ["train.steps=1"])
    return to


@pytest.fixture(scope="module")
def song(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bars: a phrase of three, and one bar of another."""
    cells = np.concatenate(list(data.rolls(data.indices("train")[:2])), axis=1)[:, :4]
    path = tmp_path_factory.mktemp("song") / "song.mid"
    write_midi(Roll(cells, data.tracks, data.grid, np.full(4, 120.0), "song"), path)
    return path


def test_a_song_is_as_many_places_as_it_has_phrases(folder: Path, song: Path):
    model = Model.load(folder, "cpu")
    points = points_of(model, str(song))
    assert len(points) == 2
    assert torch.equal(points.u, points_of(model, str(song)).u)
    assert model.decode(points).shape == (2, 5, 3, 16, 84)
    one, repeated, other = (points_of(model, seed).u for seed in ("1", "1", "2"))
    assert torch.equal(one, repeated)
    assert not torch.equal(one, other)


def test_the_commands_write_a_song(folder: Path, song: Path, tmp_path: Path):
    arguments = {
        "interpolate": ["1", song, "--points", 3],
        "arithmetic": [song, "1", "2"],
        "vary": [song, "--count", 2],
        "reconstruct": [song],
    }
    songs = {"interpolate": 1, "arithmetic": 1, "vary": 2, "reconstruct": 1}
    for command, points in arguments.items():
        to = tmp_path / command
        code, said, complaint = run(
            "music", command, folder, *points, "--device", "cpu", "--to", to
        )
        assert (code, complaint) == (0, "")
        assert sorted(map(Path, said.splitlines())) == sorted(to.iterdir())
        assert len(list(to.glob("*.mid"))) == songs[command]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["note_transformer", "1", "2"], "note_transformer has no latent space: it is a density"),
        (["musegan", "1", "nothing.mid"], "nothing.mid: No such file"),
        (["musegan", "1"], "expected 2 after"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str):
    code, _, complaint = run("music", "interpolate", *arguments)
    assert code in (1, 2)
    assert complaint.startswith("error: ")
    assert said in complaint
