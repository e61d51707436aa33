"""Tempi: learned from the training songs, drawn for each song, kept of the user's songs."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.app import latent_commands
from musegen.configuration import DataSpec
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.files.midi import read_midi, write_midi
from musegen.files.song import SongOutput
from musegen.model import DOMAIN, Model, train
from musegen.roll import Grid, Roll

BARS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "band"
    prepare_band(4, folder, PrepareConfig(grid=Grid(steps_per_beat=4), bars=BARS))
    return Collection.open(folder)


def tiny(data: Collection, to: Path, steps: int = 1) -> Model:
    train(data, to, "vae", "tiny", "cpu", [f"train.steps={steps}"])
    return Model.load(to, "cpu")


@pytest.fixture(scope="module")
def run(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "vae"
    tiny(data, folder)
    return folder


def training_tempi(data: Collection) -> set[int]:
    """The tempi that the band says of the training songs."""
    lines = (data.store.folder / "answers.jsonl").read_text().splitlines()
    answers = {song["song"]: song["tempo_bpm"] for song in map(json.loads, lines)}
    return {answers[song.name] for song in data.songs if song.split == "train"}


def test_a_run_knows_the_tempi_of_its_training_songs(data: Collection, run: Path):
    tempi = Model.load(run, "cpu").spec.tempi_bpm
    assert set(tempi) == training_tempi(data)
    assert len(tempi) == 19 and list(tempi) == sorted(tempi)


def test_of_many_songs_each_twentieth_tempo_is_kept(data: Collection, monkeypatch):
    """The 5th, 10th, 15th, 20th, 25th ... slowest of 97, at 101, 102 ... 197 beats a minute.

    They are the first that 4.85, 9.7, 14.55, 19.4, 24.25 ... songs do not exceed.
    """
    tempi = np.random.default_rng(1).permutation(np.arange(101.0, 198.0))
    monkeypatch.setattr(Collection, "tempi_bpm", lambda data, split: tempi)
    kept = list(DOMAIN.spec_of(data)["tempi_bpm"])
    assert kept[:5] == [105, 110, 115, 120, 125]
    assert (kept[9], kept[18]) == (149, 193)


def test_tempi_are_drawn_as_often_as_the_training_songs_have_them():
    """Two thirds of 1,000 songs at 100, a third at 60: three standard deviations are 45."""
    spec = DataSpec(grid=Grid(), tracks=(), bars=4, tempi_bpm=(60, 100, 100))
    drawn = Counter(spec.tempo_bpm(7, number) for number in range(1000))
    assert set(drawn) == {60.0, 100.0}
    assert abs(drawn[60.0] - 1000 / 3) < 45
    assert spec.usual_tempo_bpm == 100


def test_the_tempo_of_a_song_is_of_its_seed_and_number(run: Path):
    model = Model.load(run, "cpu")
    four, two, other = (
        [roll.tempo_bpm.tolist() for roll in model.sample(count, bars=3, seed=seed)]
        for count, seed in ((12, 7), (2, 7), (12, 8))
    )
    assert four[:2] == two
    assert four != other
    assert all(len(bars) == 3 and len(set(bars)) == 1 for bars in four)
    assert {bars[0] for bars in four + other} == set(model.spec.tempi_bpm)
    fixed = model.sample(3, seed=7, tempo_bpm=96)
    assert [roll.tempo_bpm.tolist() for roll in fixed] == [[96.0] * BARS] * 3


def without_tempi(run: Path) -> None:
    """Leave a run's settings as they were before tempi were learned."""
    config = run / "config.yaml"
    before, _, after = config.read_text().partition("  tempi_bpm:\n")
    kept = [line for line in after.splitlines(keepends=True) if not line.startswith("  - ")]
    config.write_text(before + "".join(kept))


def test_an_old_run_plays_at_120_and_goes_on(data: Collection, tmp_path: Path):
    tiny(data, tmp_path / "run")
    without_tempi(tmp_path / "run")
    model = Model.load(tmp_path / "run", "cpu")
    assert model.spec.tempi_bpm == ()
    assert {tempo for roll in model.sample(3) for tempo in roll.tempo_bpm} == {120.0}
    assert model.spec.usual_tempo_bpm == 120
    assert set(tiny(data, tmp_path / "run", steps=2).spec.tempi_bpm) == training_tempi(data)


def test_a_reconstruction_has_the_tempi_of_the_song_and_a_seed_the_usual_one(
    data: Collection, run: Path, tmp_path: Path
):
    """Three bars in phrases of two: what is made of the song is as long as the song."""
    model, to = Model.load(run, "cpu"), SongOutput(tmp_path / "to", ("mid",))
    cells = np.concatenate(list(data.rolls(data.indices("train")[:2])), axis=1)[:, :3]
    write_midi(
        Roll.of_cells(cells, data.tracks, data.grid, np.array([80.0, 90.0, 150.0])),
        tmp_path / "a.mid",
    )

    def tempi(path: Path) -> list[float]:
        return np.round(read_midi(path, data.tracks, data.grid).tempo_bpm, 2).tolist()

    rebuilt = next(latent_commands.reconstruct(model, tmp_path / "a.mid", to, 0))
    assert tempi(rebuilt) == [80, 90, 150]
    usual = model.spec.usual_tempo_bpm
    mixed = next(latent_commands.interpolate(model, "1", "2", 2, to, 0))
    assert tempi(mixed) == [usual] * 4
    mixed = next(latent_commands.interpolate(model, str(tmp_path / "a.mid"), "2", 2, to, 1))
    assert tempi(mixed) == [80, 90, 80, 90], "a seed is played as the file"


def test_shipped_models_know_the_tempi_of_their_songs():
    for name in ("lookback_rnn", "latent_musegan"):
        tempi = Model.load(name, "cpu").spec.tempi_bpm
        assert len(set(tempi)) > 10 and 60 < min(tempi) < 100 < np.median(tempi) < 140
    assert DOMAIN.default_run == "lookback_rnn"
