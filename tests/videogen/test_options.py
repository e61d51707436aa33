"""The options of the commands of video reach what they name."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from command import run
from PIL import Image
from typer.testing import CliRunner

from core.app import fit
from core.app.commands.group import group_of
from core.app.fit import configure
from videogen.commands.group import VideoCommands
from videogen.configuration import VideoRun
from videogen.data import preparation
from videogen.data.records import PrepareConfig
from videogen.files.clip import SAMPLE_RATE_HZ, write_gif
from videogen.files.label import origin_of
from videogen.model import DOMAIN, Model
from videogen.rendering.reel import Reel
from videogen.rendering.take import Take
from videogen.shapes.dataset import MovingShapes

CAPTION = "A small red circle is moving in a zigzag path towards north"
NEXT = "A small red circle is moving in a zigzag path towards east"


@pytest.mark.parametrize("colour", ["red", "#fff", "ff0000", "#ff00000"])
def test_a_colour_is_asked_for_in_plain_words(colour: str):
    code, _, said = run("video", "prepare", "clips", "--check", "--background", colour)
    assert code == 2 and "six digits, each 0-9 or a-f: #ff0000 is red, got" in said
    assert "^" not in said


def test_a_sentence_may_be_as_long_as_those_of_a_vision_model(tmp_path: Path):
    command = ("video", "sample", "a small red circle is moving " * 20, "--format", "png")
    assert run(*command, "--to", tmp_path)[0] == 0
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_a_picture_is_varied_as_a_clip_is(tmp_path: Path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "x.png")
    settings = ("--count", 1, "--format", "png", "--to", tmp_path / "new")
    assert run("video", "vary", tmp_path / "x.png", *settings)[0] == 0
    assert list((tmp_path / "new").glob("*variation*.png"))


def test_options_of_prepare_are_those_of_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given: list[Any] = []

    def prepare(sources: list[str], to: Path, config: PrepareConfig, *, jobs: int, tick: Any):
        given.append((sources, to, config, jobs))
        return SimpleNamespace(lines=["done"], rejects=[])

    monkeypatch.setattr(preparation, "prepare", prepare)
    (tmp_path / "held.txt").write_text("a dog\na cat\n")
    wanted = {
        "size": 24,
        "frames": 7,
        "frames_per_second": 12.5,
        "fit": "stretch",
        "background": "#102030",
        "hop": 3,
        "most_clips": 9,
        "short": "loop",
        "damaged": "keep",
        "captions": "folder",
        "seed": 11,
    }
    options = [
        f"--{'fps' if key == 'frames_per_second' else key.replace('_', '-')}" for key in wanted
    ]
    words = [word for pair in zip(options, wanted.values(), strict=True) for word in pair]
    for held in ("composition", tmp_path / "held.txt"):
        command = ["video", "prepare", "clips", "more", "--to", tmp_path / "to", *words]
        assert run(*command, "--hold-out", held, "--jobs", 3)[0] == 0
    for (sources, to, config, jobs), held in zip(
        given, ("composition", ("a dog", "a cat")), strict=True
    ):
        assert (sources, to, jobs) == (["clips", "more"], tmp_path / "to", 3)
        assert config == PrepareConfig.model_validate({**wanted, "hold_out": held})


def test_options_of_train_choose_the_shapes_and_the_augmentation(monkeypatch: pytest.MonkeyPatch):
    given: list[Any] = []
    trained = SimpleNamespace(translates=False, draws=True)
    monkeypatch.setattr(fit, "train", lambda *arguments: (given.append(arguments), trained)[1])
    shapes = ["--shapes", "--pairs", "--showing", "red", "--preset", "tiny"]
    changes = ["--flip", "never", "--crop", 0.1, "--speed", 0.2, "--colour", 0.3]
    assert run("video", "train", *shapes, *changes, "--to", "run")[0] == 0
    assert run("video", "train", "--shapes", "--to", "run")[0] == 0
    as_they_are = ["--flip", "auto", "--crop", 0]  # which a file of --config may say otherwise
    assert run("video", "train", "--shapes", *as_they_are, "--to", "run")[0] == 0
    (_, data, *some), (_, plain, *none), (_, _, *usual) = given
    assert isinstance(data, MovingShapes) and isinstance(plain, MovingShapes)
    assert (data.counts, data.showing, data.size) == ((1, 2), "red", 16)
    assert (plain.counts, plain.showing, plain.size) == ((1,), "", 32)
    assignments = ["augment.flip=never", "augment.crop=0.1", "augment.speed=0.2"]
    assert [*assignments, "augment.colour=0.3"] in some
    assert [] in none
    assert ["augment.flip=auto", "augment.crop=0.0"] in usual


def sampled(patch: pytest.MonkeyPatch, to: Path, *options: object) -> tuple[list[Take], list[Any]]:
    """The takes of a command whose clips are 20 black frames, and what its songs are asked for."""
    takes: list[Take] = []
    songs: list[Any] = []

    def shoot(self: Take, model: Model) -> np.ndarray:
        takes.append(self)
        return np.zeros((20, 32, 32, 3), np.uint8)

    def compose(*asked: Any) -> np.ndarray:
        songs.append(asked)
        tone = np.sin(2 * np.pi * 440 * np.arange(5 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
        return np.stack([tone, tone]).astype(np.float32)

    patch.setattr(Take, "shoot", shoot)
    arguments = ["sample", CAPTION, "--device", "cpu", "--to", to, *options]
    answer = CliRunner().invoke(group_of(VideoCommands(compose)), [str(one) for one in arguments])
    assert answer.exit_code == 0, answer.output
    return takes, songs


def test_options_of_sample_are_those_of_its_takes_and_songs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    frames[0], frames[1] = 50, 200
    write_gif(frames, tmp_path / "start.gif", 8)
    options = ["--count", 2, "--seed", 3, "--frames", 20, "--fps", 10, "--then", NEXT]
    files = ["--format", "mp4,webm", "--scale", 2, "--resize", "lanczos"]
    song = ["--start", tmp_path / "start.gif", "--music", "--music-run", "songs"]
    takes, songs = sampled(monkeypatch, tmp_path / "to", *options, *files, *song)
    assert [(one.caption, one.seed) for one in takes] == [(CAPTION, 3), (CAPTION, 4)]
    for one in takes:
        assert (one.frames, one.frames_per_second, one.then) == (20, 10, (NEXT,))
        assert (one.into, one.loop) == (None, False)
        assert one.start is not None
        torch.testing.assert_close(
            one.start, torch.full((3, 32, 32), 50 / 127.5 - 1), atol=0.02, rtol=0
        )
    assert songs == [("songs", 2.0, 3, "cpu"), ("songs", 2.0, 4, "cpu")]
    (text,) = (tmp_path / "to").glob("shapes-seed3-*.txt")
    assert text.read_text() == f"{CAPTION}, then {NEXT}\n"
    origin = "shapes, seed 3, frames 20, fps 10.0, scale 2.0, resize lanczos, start start.gif"
    for suffix in (".mp4", ".webm"):
        film = text.with_suffix(suffix)
        assert origin_of(film).endswith(f"{origin}, music songs")
        with av.open(str(film)) as file:
            assert (file.streams.video[0].average_rate, file.streams.video[0].height) == (10, 64)
            sound = np.concatenate([f.to_ndarray() for f in file.decode(audio=0)], 1)
        early, late = (
            np.abs(sound[:, part]).mean() for part in (slice(40_000), slice(-4000, None))
        )
        assert late < 0.1 * early, "it fades out"


def test_loops_and_changes_of_captions_are_asked_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    takes, songs = sampled(monkeypatch, tmp_path, "--loop", "--into", NEXT, "--format", "gif,mp4")
    assert [(one.into, one.loop) for one in takes] == [(NEXT, True)]
    assert songs == []
    (text,) = tmp_path.glob("*.txt")
    assert text.read_text() == f"{CAPTION}, into {NEXT}\n"
    assert "loop seamless" in origin_of(text.with_suffix(".mp4"))


def test_scenes_of_a_film_have_seeds_of_their_own_and_the_pace_of_their_cuts(
    monkeypatch: pytest.MonkeyPatch,
):
    """Clips of 2 seconds, shown in 2 and in 1.5 of them at 24 frames a second."""
    takes: list[Take] = []

    def shoot(self: Take, model: Model) -> np.ndarray:
        takes.append(self)
        return np.zeros((self.frames or 0, 32, 32, 3), np.uint8)

    monkeypatch.setattr(Take, "shoot", shoot)
    reel = Reel([CAPTION, NEXT], np.array([0.0, 2.0, 3.5]), 24.0, seed=5)
    scenes = reel.scenes(Model.load("shapes", "cpu"))
    assert [(one.caption, one.seed) for one in takes] == [(CAPTION, 5), (NEXT, 6)]
    assert [(one.frames, one.frames_per_second) for one in takes] == [(48, 24.0), (36, 18.0)]
    assert [len(scene) for scene in scenes] == [48, 36]


def test_a_seed_chooses_the_clips_of_a_run():
    shapes = MovingShapes(16, 4)
    config = configure(DOMAIN, shapes, "gist", "tiny", ["train.seed=5", "train.batch_size=3"])
    assert isinstance(config, VideoRun)
    batch = DOMAIN.batches(shapes, config, torch.device("cpu"))(2)
    frames, _ = shapes.batch(2, 3, seed=5)
    assert torch.equal(batch.x, torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 127.5 - 1)


@pytest.mark.parametrize("change", [("--flip", "never"), ("--crop", 0.1), ("--colour", 0.1)])
def test_moving_shapes_are_not_changed_by_options_for_files(tmp_path: Path, change: tuple):
    few = ("--shapes", "--preset", "tiny", "--steps", 1, "--to", tmp_path / "run")
    code, _, said = run("video", "train", *few, *change)
    assert code == 2 and "augment changes clips of files" in said
    assert not (tmp_path / "run").exists()
