"""Evaluations: baselines with known faults, rows with known answers."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table
from tunes import tune, write_tunes

from core.app.fit import configure
from core.app.report import Report, null_for_nan
from core.errors import UserError
from musegen.data.band import song
from musegen.data.collection import Collection, spread
from musegen.data.preparation import PrepareConfig, prepare, prepare_band
from musegen.measures import evaluation, scorecard
from musegen.measures.evaluation import (
    Generated,
    evaluate,
    generate,
    independent_cells,
    shuffled_tracks,
)
from musegen.measures.hearing import Hearing, cut_cells, cut_songs, halves, lengths_of
from musegen.measures.likeness import WEIGHTS
from musegen.measures.scorecard import draw_report, totals
from musegen.model import DOMAIN, Model
from musegen.roll import HOLD, ONSET, SILENT, Grid

pytestmark = pytest.mark.usefixtures("quick_evaluation")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Nine songs of the band, at four steps a beat and without the nine highest pitches."""
    folder = tmp_path_factory.mktemp("data") / "band"
    config = PrepareConfig(bars=4, grid=Grid(steps_per_beat=4, pitches=75), hop=3, seed=2)
    prepare_band(9, folder, config)
    return Collection.open(folder)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, data: Collection) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "more"
    prepare_band(2, folder, PrepareConfig(bars=4, grid=data.grid, seed=77))
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
    assert report.rows[0].total == pytest.approx(0, abs=1e-9)
    assert report.generated.copied_bars == 1
    assert rows["independent cells"].copied_bars == 0
    assert math.isnan(rows["training, other half"].copied_bars)
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


def test_what_no_song_has_is_not_drawn_and_totals_have_room(
    data: Collection, phrases: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The drums of all rows are unknown, as those of voices are."""
    report = evaluate(Generated("some", phrases[:9]), data)
    for row in report.rows:
        row.metrics["hits on 16ths"].clear()
        for measures in row.values.values():
            for name in scorecard.PLOTTED_MEASURES[:4]:
                measures[name] = [math.nan] * len(measures[name])
    figures = list[Figure]()
    monkeypatch.setattr(scorecard, "write_figure", lambda figure, path: figures.append(figure))
    draw_report(report, tmp_path / "report.png")
    drawn = [axes for axes in figures[0].findobj(Axes) if axes.axison]
    titles = [axes.get_title().split("\n")[0] for axes in drawn]
    assert len(titles) == 1 + 8 + 7
    assert not {"repetition, drums", "hits on 16ths"} & {*titles}
    assert len(figures[0].findobj(Axes)) == 1 + 8 + 8, "without an empty line of panels"
    for row in report.rows:
        row.metrics["notes a bar"]["Drums"] = math.nan
        for measures in row.values.values():
            measures["groove"][0] = math.nan
    draw_report(report, tmp_path / "report.png")
    groups = {
        axes.get_title().split("\n")[0]: [label.get_text() for label in axes.get_xticklabels()]
        for axes in figures[1].findobj(Axes)
    }
    assert groups["groove"] == ["all tracks"], "that of drums would be empty"
    assert groups["notes a bar"] == ["Piano", "Guitar", "Bass", "Strings"]
    assert drawn[0].get_xlim()[1] > 1.05 * max(row.total for row in report.rows)


def test_what_no_song_has_is_no_row_and_papers_are_named_where_their_short_forms_are(
    data: Collection, phrases: np.ndarray
):
    """The drums of all rows are unknown, as those of voices are."""
    report = evaluate(Generated("some", phrases[:9]), data)
    for row in report.rows:
        row.metrics["hits on 16ths"] = {"Drums": math.nan}
        row.metrics["notes a bar"]["Drums"] = math.nan
        for values in row.values.values():
            values["repetition, drums"] = [math.nan] * len(values["repetition, drums"])
    totals, distances, measures, metrics = scorecard.tables(report)
    heading, by_track = ([*table.columns[0].cells] for table in (measures, metrics))
    assert "repetition, drums" not in heading and "rhythm, drums" in heading
    assert "hits on 16ths" not in by_track
    among = by_track[by_track.index("notes a bar") + 1 :]
    assert among[:4] == ["  Piano", "  Guitar", "  Bass", "  Strings"]
    papers = [str(table.caption).count("MuseGAN, AAAI 2018") for table in (totals, measures)]
    assert papers == [0, 0]
    assert "\n\nEB, UPC, QN, PP: Dong et al." in str(distances.caption)
    assert "\n\nEB, UPC, QN, PP: Dong et al." in str(metrics.caption)
    explained = [_explained(table) for table in (measures, metrics)]
    assert "rhythm, drums" in explained[0] and "register" in explained[0]
    assert "repetition, drums" not in explained[0]
    assert explained[1] == {str(name) for name in by_track if not str(name).startswith(" ")}


def _explained(table: Table) -> set[str]:
    """Return the names that a table explains below it."""
    return set(re.findall(r"^- ([^:]+):", str(table.caption), re.MULTILINE))


def test_a_table_for_one_model_names_it_where_there_are_several(
    data: Collection, phrases: np.ndarray
):
    several = [Generated(name, phrases[:9]) for name in ("some", "others")]
    for given, named in ((several[:1], ""), (several, "; of what is generated, some alone")):
        *_, measures, metrics = scorecard.tables(evaluate(given[0], data, given[1:]))
        titles = [str(table.title) for table in (measures, metrics)]
        assert all(title.endswith(("bars", "to 1)")[n] + named) for n, title in enumerate(titles))


def test_songs_of_another_form_are_refused(
    data: Collection, phrases: np.ndarray, monkeypatch: pytest.MonkeyPatch, other: Collection
):
    monkeypatch.setattr(other, "bars", 3)
    with pytest.raises(UserError, match="other tracks, grid or bars"):
        evaluate(Generated("few", phrases[:2]), data, other_data=other)


def test_another_collection_is_a_row(data: Collection, phrases: np.ndarray, other: Collection):
    report = evaluate(Generated("some", phrases[:20]), data, other_data=other)
    assert (report.rows[-1].name, report.rows[-1].kind) == ("other songs (more)", "baseline")


def test_each_measured_model_is_reported(data: Collection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluation, "generate", lambda one, *rest: one)
    monkeypatch.setattr(evaluation, "evaluate", lambda *rest: Report(()))
    done: list[tuple[int, int]] = []
    DOMAIN.evaluate(
        [Path("a"), Path("b")], data, 8, 0, tasks=lambda task: lambda *at: done.append(at)
    )
    assert done == [(1, 2), (2, 2)]


def test_a_folder_of_the_very_songs_scores_as_the_collection_does(tmp_path: Path):
    """A hop of three bars, three tracks that must sound, and one song twice."""
    songs = write_tunes(tmp_path / "songs", 9, bars=37)
    shutil.copy(songs / "004.mid", songs / "twice.mid")
    (songs / "broken.mid").write_bytes(b"MThd")
    config = PrepareConfig(grid=Grid(steps_per_beat=4), bars=4, hop=3, seed=3, test_share=0.3)
    prepare([str(songs)], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    everything = np.concatenate([data.indices(split) for split in data.splits])
    generated = generate(songs, data, count=1, seed=0)
    assert np.array_equal(generated.phrases, data.rolls(everything))
    lengths = lengths_of(data)
    assert lengths == (16, 4)
    excerpts = cut_songs(data, data.splits, lengths)
    report = evaluate(generated, data, [Generated("own", data.rolls(everything), songs=excerpts)])
    one, other = (row.__dict__ for row in report.rows if row.kind == "generated")
    assert (one["total"], one["distance"]) == (other["total"], other["distance"])
    assert null_for_nan({**one, "name": ""}) == null_for_nan({**other, "name": ""})
    assert (one["bars"], one["count"]) == (16, 2 * 9)


def test_of_a_large_folder_as_many_phrases_are_measured_as_of_other_sets(
    data: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The cells of all songs of a large folder would fill the memory."""
    songs = write_tunes(tmp_path / "songs", 2, bars=37)
    monkeypatch.setattr(evaluation, "REFERENCE_BARS", 5 * data.bars)
    assert len(generate(songs, data, count=1, seed=0).phrases) == 5


def test_a_folder_has_no_phrase_where_too_few_tracks_sound(data: Collection, tmp_path: Path):
    """Its phrases are chosen as those of the collection, which need three tracks."""
    (tmp_path / "duo.mid").write_bytes(tune(1, bars=12, parts=2))
    with pytest.raises(UserError, match="no run and no MIDI file with a phrase of 4 bars"):
        generate(tmp_path, data, count=1, seed=0)


def test_shorter_songs_are_measured_in_excerpts_that_fit(data: Collection, phrases: np.ndarray):
    """Songs of the band have twenty bars and more; phrases have four."""
    long = [song([7, n], data.grid)[0].cells[:, :16] for n in range(5)]
    songs = cut_cells(np.stack(long), data, lengths_of(data))
    short = Generated("short", phrases)
    report = evaluate(Generated("long", phrases[:9], songs=songs), data, [short])
    rows = {row.name: row for row in report.rows}
    assert (rows["long"].bars, rows["long"].count) == (16, 5)
    assert (rows["short"].bars, list(rows["short"].values)) == (4, ["4"])
    assert rows["training, other half"].bars == 16
    assert math.isnan(rows["short"].copied_parts)
    label = [str(cell) for cell in totals(report).columns[0].cells]
    assert "short (4 bars)" in label
    assert "long" in label
    groups = rows["long"].groups
    assert groups.keys() == WEIGHTS.keys()
    expected = sum(w * groups[name] for name, w in WEIGHTS.items()) / sum(WEIGHTS.values())
    assert rows["long"].total == pytest.approx(expected)
    assert groups["phrases"] == rows["long"].distance
    assert groups["classifier"] == pytest.approx(max(0, 2 * rows["long"].accuracy - 1))


def test_a_model_that_accompanies_is_measured_beside_real_tracks_in_long_excerpts(
    data: Collection,
):
    """Drums are given: those of held-out excerpts, in phrases and in songs."""
    config = configure(DOMAIN, data, "musegan", "tiny", ["model.musegan.given=[drums]"])
    model = Model(DOMAIN.networks(config), config.model, config.spec, "band")
    found = generate(model, data, 8, seed=1)
    assert found.name == "band (beside real Drums)"
    begins = spread(data.beginnings(16, "test"), 2)
    real = data.rolls(begins)
    assert len(found.phrases) == 4 * len(begins)
    assert np.array_equal(found.phrases[::4, 0], real[:, 0])
    assert not np.array_equal(found.phrases[::4, 1:], real[:, 1:])
    assert found.songs is not None
    assert set(found.songs) == {16, 4}


def test_copies_beyond_those_of_held_out_songs_count(data: Collection):
    """Training songs are copied whole; a third of their parts moved by a step are not."""
    lengths = lengths_of(data)
    hearing = Hearing.of(halves(data, lengths, 0)[0], data)
    copies = cut_songs(data, ["train"], lengths)
    judged = hearing.judge(copies)
    assert (judged.copied_bars, judged.copied_parts) == (1, 1)
    expected = (1 - hearing.copied[0] + 1 - hearing.copied[1]) / 2
    assert judged.groups["copies"] == pytest.approx(expected)
    assert 0 < expected <= 1
    known = replace(hearing, copied=(0.3, 0.9)).judge(copies)
    assert known.groups["copies"] == pytest.approx((0.7 + 0.1) / 2), "real songs share some"
    assert math.isnan(hearing.judge(copies, is_training=True).groups["copies"])


def test_halves_of_the_training_songs_share_no_song(data: Collection):
    first, second = halves(data, (16, 4), 5)
    for bars in (16, 4):
        ours, theirs = set(first[bars].song), set(second[bars].song)
        assert not ours & theirs
        assert abs(len(ours) - len(theirs)) <= 1
    assert set(first[16].song) | set(second[16].song) == set(
        data.store.whole["song"][data.beginnings(16, "train")]
    )
