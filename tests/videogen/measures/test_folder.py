"""Folders of clips that are measured as the clips of a model are."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run

from core.errors import ConfigError, UserError
from videogen.data.collection import Collection
from videogen.data.preparation import prepare, settings_of
from videogen.data.records import PrepareConfig
from videogen.files.clip import FrameBatch, to_clips, to_frames, write_gif
from videogen.measures import evaluation
from videogen.measures.classifier import Classifier
from videogen.measures.evaluation import Row, evaluate
from videogen.measures.metrics import diversity
from videogen.model import DOMAIN
from videogen.shapes.dataset import MovingShapes

SHAPES = MovingShapes(32, 4)


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch):
    """Random features tell clips apart as well, and no classifier is trained."""

    def classifier(data, *_):
        return Classifier(data.size, data.frames, data.words).eval()

    monkeypatch.setattr(evaluation, "load_classifier", classifier)
    monkeypatch.setattr(evaluation, "judge_of_halves", lambda *_: None)


def write(folder: Path, clips: FrameBatch, captions: Sequence[str]) -> Path:
    """Write clips and a table of their captions, as another program would."""
    folder.mkdir()
    rows = [(f"{number}.gif", caption) for number, caption in enumerate(captions)]
    for (name, _), frames in zip(rows, clips, strict=True):
        write_gif(frames, folder / name, 8)
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "caption"), *rows])
    return folder


def shapes() -> tuple[FrameBatch, list[str]]:
    """Clips of both splits, whose captions differ."""
    seen, held = SHAPES.batch(0, 12, 3, "train"), SHAPES.batch(0, 6, 3, "test")
    return np.concatenate([seen[0], held[0]]), [*seen[1], *held[1]]


def test_clips_of_a_folder_are_measured_by_what_they_show(tmp_path: Path):
    """The very clips, their frames in another order, and each with the caption of the next."""
    clips, captions = shapes()
    folders = [
        write(tmp_path / "right", clips, [f"{caption.upper()}." for caption in captions]),
        write(tmp_path / "scrambled", clips[:, [2, 0, 3, 1]], captions),
        write(
            tmp_path / "shifted",
            clips,
            [*captions[1:12], captions[0], *captions[13:], captions[12]],
        ),
    ]
    report = evaluate(folders, SHAPES, 16, 1)
    rows = {(row.group, Path(row.name).name): row for row in report.rows}
    for split, count in (("seen", 12), ("held-out", 6)):
        group = f"one shape, {split} captions"
        right, real = rows[group, "right"], rows[group, "real clips"]
        assert (right.clips, right.kind) == (count, "generated")
        assert right.attributes == real.attributes == dict.fromkeys(right.attributes, 1)
        assert rows[group, "scrambled"].attributes["path"] < 0.5
        assert rows[group, "scrambled"].attributes["colour"] == 1
        assert rows[group, "shifted"].attributes["all"] < 0.2
        assert rows[group, "captions exchanged"].attributes["all"] < 0.2
    assert report.captions == tuple(evaluate(folders[:1], SHAPES, 16, 1).captions)
    assert len(report.captions) == len(report.real_frames) == len(report.generated_frames) == 6
    assert {*report.captions} <= {*captions}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of each of two captions, of more frames than a clip, wider than high."""
    frames = np.zeros((4, 20, 24, 40, 3), np.uint8)
    random = np.random.default_rng(0)
    for number, film in enumerate(frames):
        film[..., number % 2] = 60 + 5 * np.arange(20)[:, None, None] + 40 * (number // 2)
        film[:, 8:16, 8 + number : 20] = random.integers(100, 250, 3)
    captions = ["a red wall", "a green wall"] * 2
    return write(tmp_path_factory.mktemp("films") / "clips", frames, captions)


@pytest.fixture(scope="module")
def data(films: Path) -> Collection:
    config = PrepareConfig(
        size=16,
        frames=4,
        hop=4,
        fit="fit",
        frames_per_second=5,
        hold_out="windows",
        test_share=0.2,
    )
    prepare([str(films)], films.parent / "data", config, jobs=0)
    return Collection.open(films.parent / "data")


def generated(folders: Sequence[Path], data: Collection, count: int = 64) -> list[Row]:
    rows = evaluate(folders, data, count, 1).rows
    return [row for row in rows if row.kind == "generated" and row.group == "seen videos"]


def test_a_folder_of_the_very_clips_measures_as_the_collection_does(
    films: Path, data: Collection, tmp_path: Path
):
    """Read at its size and rate and framed as it is, whichever clips of it are held out."""
    assert settings_of(data).fit == "fit"
    whole = np.sort(np.concatenate([data.indices(split) for split in data.splits]))
    folder = evaluation.read_folder(films, data, [("all", data, "train")], 64, 1).parts["all"]
    known = dict(zip(map(bytes, data.frames_of(whole)), data.captions_of(whole), strict=True))
    shown = to_frames(folder.clips)
    found = {bytes(one): of for one, of in zip(shown, folder.captions, strict=True)}
    assert found == known
    firsts = to_clips(data.frames_of(np.unique(data.store.whole["source"], return_index=True)[1]))
    assert folder.diversity == pytest.approx(diversity(firsts, firsts[[2, 3, 0, 1]]), rel=0.05)

    frames = np.random.default_rng(1).integers(0, 255, (4, 20, 24, 40, 3), np.uint8)
    noise = write(tmp_path / "noise", frames, ["a red wall", "a green wall"] * 2)
    read = {Path(row.name).name: row for row in generated([films, noise], data)}
    real = next(row for row in evaluate([films], data, 64, 1).rows if row.kind == "real")
    assert read["clips"].frechet_clips < 1.5 * real.frechet_clips < read["noise"].frechet_clips
    assert read["noise"].motion > 10 * read["clips"].motion


def test_what_of_a_folder_is_not_measured_is_said(
    films: Path, data: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    frames = np.full((3, 20, 24, 40, 3), 90, np.uint8)
    frames[1], frames[2] = 120, 150
    folder = write(tmp_path / "some", frames, ["A red wall!", "a blue wall", "a red wall"])
    (folder / "3.gif").write_bytes(b"GIF89a")
    with (folder / "clips.csv").open("a") as file:
        file.write("3.gif,a red wall\n")
    with caplog.at_level(logging.INFO, "pianoreel"):
        (row,) = generated([folder], data)
    assert row.clips == 6, "three clips of each of two films"
    said = caplog.text
    assert "3 of 4 files are measured, left out: 1 " in said
    assert "1 file left out, of captions that are none of" in said and "'a blue wall'" in said
    with caplog.at_level(logging.INFO, "pianoreel"):
        assert generated([films], data, 3)[0].clips == 3


def test_clips_that_cannot_be_compared_are_refused(
    films: Path, data: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluation, "load_classifier", lambda *_: pytest.fail("trained before"))
    blue = write(tmp_path / "blue", np.zeros((2, 20, 24, 40, 3), np.uint8), ["blue", "a blue sky"])
    with pytest.raises(UserError, match=r"none of its captions is one of .*; the first is 'blue'"):
        evaluate([films, blue], data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is no run, and read as a folder of clips: no video in"):
        evaluate([tmp_path / "empty"], data)
    code, _, complaint = run("video", "evaluate", films)
    assert code == 1 and "give the collection to measure against: --against DATA" in complaint


def test_a_single_film_is_answered_with_folders(tmp_path: Path):
    (tmp_path / "broken.mp4").write_bytes(b"")
    code, _, complaint = run("video", "evaluate", tmp_path / "broken.mp4")
    assert code == 1 and "broken.mp4 is a single file: give a run" in complaint
    assert "or a folder of files to measure" in complaint


def test_the_command_measures_a_folder_beside_another(films: Path, data: Collection):
    folder = data.store.folder
    code, said, _ = run("video", "evaluate", films, "--against", folder, "--count", 4, "--json")
    assert code == 0 and said.count(str(films)) == 2


@pytest.mark.parametrize(("named", "expected"), [("cpu", "cpu"), ("auto", "cuda")])
def test_classifiers_are_on_the_device_that_is_named_with_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, expected: str
):
    devices: list[torch.device] = []

    def classifier(data, device, *_):
        devices.append(device)
        return Classifier(data.size, data.frames, data.words).eval()

    monkeypatch.setattr(evaluation, "load_classifier", classifier)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    folder = write(tmp_path / "clips", *shapes())
    evaluate([DOMAIN.subject(str(folder), named)], SHAPES, 4)
    evaluate([folder], SHAPES, 4)
    assert devices == [torch.device(expected), torch.device("cuda")]


def test_a_device_that_is_not_known_is_refused_beside_a_folder(tmp_path: Path):
    with pytest.raises(ConfigError, match="no device is called 'abacus'"):
        DOMAIN.subject(str(tmp_path), "abacus")
