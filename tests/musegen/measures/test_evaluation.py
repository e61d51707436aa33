"""Evaluations: baselines with known faults, rows with known answers."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.measures.evaluation import (
    Generated,
    evaluate,
    generate,
    independent_cells,
    shuffled_tracks,
)
from musegen.measures.scorecard import draw_report
from musegen.roll import HOLD, ONSET, SILENT, Grid

pytestmark = pytest.mark.usefixtures("quick_evaluation")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Nine songs of the band, at four steps a beat and without the nine highest pitches."""
    folder = tmp_path_factory.mktemp("data") / "band"
    config = PrepareConfig(grid=Grid(steps_per_beat=4, pitches=75), hop=3, seed=2)
    prepare_band(9, folder, config)
    return Collection.open(folder)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, data: Collection) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "more"
    prepare_band(2, folder, PrepareConfig(grid=data.grid, seed=77))
    return Collection.open(folder)


@pytest.fixture(scope="module")
def phrases(data: Collection) -> np.ndarray:
    return data.rolls(data.indices("train"))


def test_shuffling_keeps_every_part_and_breaks_the_ensemble(phrases: np.ndarray):
    shuffled = shuffled_tracks(phrases, np.random.default_rng(1))
    for track in range(5):
        before, after = (
            sorted(part.tobytes() for part in cells[:, track]) for cells in (phrases, shuffled)
        )
        assert before == after
    together = {phrase[[1, 3]].tobytes() for phrase in phrases}
    assert sum(phrase[[1, 3]].tobytes() in together for phrase in shuffled) < 0.2 * len(phrases)


def test_independent_cells_have_the_frequencies_of_the_data_and_are_legal():
    cells = np.zeros((400, 1, 1, 4, 3), np.uint8)
    cells[:100, 0, 0, 1, 2] = ONSET  # a quarter of the phrases start a note, and hold it
    cells[:100, 0, 0, 2, 2] = HOLD
    cells[:, 0, 0, 3, 0] = ONSET  # all phrases start a note here
    sampled = independent_cells(cells, np.random.default_rng(4))
    sounding = (sampled != SILENT).mean(0)[0, 0]
    expected = np.zeros((4, 3))
    expected[1, 2] = expected[2, 2] = 0.25
    expected[3, 0] = 1.0
    assert sounding == pytest.approx(expected, abs=0.07)
    held = sampled[:, 0, 0, 2, 2] == HOLD
    assert (sampled[held, 0, 0, 1, 2] == ONSET).all()
    assert 0 < held.mean() < 0.12  # 1/16 follow an onset; the others became onsets


def test_the_data_is_near_itself_and_each_baseline_has_its_fault(
    data: Collection, phrases: np.ndarray
):
    report = evaluate(
        Generated("all of it", phrases), data, [Generated("a part", phrases[:9], 0.5)]
    )
    rows = {row.name: row for row in report.rows}
    assert report.rows[0].distance == 0
    assert report.generated.name == "all of it"
    assert (rows["a part"].kind, rows["a part"].reconstruction) == ("generated", 0.5)
    assert math.isnan(report.generated.reconstruction)
    assert 3 * report.generated.distance < rows["independent cells"].distance
    assert report.generated.copied_bars == 1
    assert rows["independent cells"].copied_bars == 0
    shuffled, generated = rows["tracks shuffled"].distances, report.generated.distances
    assert shuffled["tonal distance"] > 2 * generated["tonal distance"]
    assert shuffled["empty bars"] == pytest.approx(0, abs=1e-9)


def test_silence_is_counted_and_what_it_lacks_is_null(data: Collection, tmp_path: Path):
    silence = np.zeros((3, 5, data.bars, data.grid.steps_per_bar, data.grid.pitches), np.uint8)
    report = evaluate(Generated("silence", silence), data)
    everywhere = dict.fromkeys([track.name for track in data.tracks], 100.0)
    assert report.generated.metrics["empty bars"] == everywhere
    assert math.isnan(report.generated.metrics["pitch classes a bar"]["Piano"])
    row = json.loads(report.json())["rows"][1]
    assert row["metrics"]["pitch classes a bar"]["Piano"] is None
    assert row["overlap"]["pitch classes a bar"]["Piano"] == 0
    draw_report(report, tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_songs_of_another_form_are_refused(
    data: Collection, phrases: np.ndarray, monkeypatch: pytest.MonkeyPatch, other: Collection
):
    monkeypatch.setattr(other, "bars", 3)
    with pytest.raises(UserError, match="other tracks, grid or bars"):
        evaluate(Generated("few", phrases[:2]), data, other_data=other)


def test_another_collection_is_a_row(data: Collection, phrases: np.ndarray, other: Collection):
    report = evaluate(Generated("some", phrases[:20]), data, other_data=other)
    assert (report.rows[-1].name, report.rows[-1].kind) == ("other songs (more)", "baseline")


def test_a_folder_of_midi_is_cut_into_whole_phrases(data: Collection, tmp_path: Path):
    from musegen.data.band import song
    from musegen.files.midi import write_midi

    roll, _ = song(5, data.grid)
    write_midi(roll, tmp_path / "song.mid")
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    phrases = generate(tmp_path, data, count=1, seed=0).phrases
    assert len(phrases) == roll.bars // data.bars
    assert (phrases[1] == roll.cells[:, data.bars : 2 * data.bars]).all()
