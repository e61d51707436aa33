"""Sentences and files as places: what is read, what is refused, what commands write."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from command import run

from core.app.latent import slerp
from core.app.latent_commands import place
from core.errors import UserError
from videogen.files.clip import to_frames, write_mp4
from videogen.model import DOMAIN, Model, train
from videogen.shapes.dataset import MovingShapes

CAPTION = "A small red circle is moving in a zigzag path towards north"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("runs") / "tiny"
    train(MovingShapes(16, 4), to, "gist", "tiny", "cpu", ["train.steps=1"])
    return to


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(folder, "cpu")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Three frames at the model's rate, black, grey, white, with a caption beside them."""
    path = tmp_path / "film.mp4"
    frames = np.array([0, 128, 255], np.uint8)[:, None, None, None]
    write_mp4(frames.repeat(32, 1).repeat(32, 2).repeat(3, 3), path, 8.0)
    path.with_suffix(".txt").write_text("a red circle")
    return path


def test_of_a_film_that_is_longer_the_first_clip_is_read_and_that_is_said(
    model: Model, film: Path, caplog: pytest.LogCaptureFixture
):
    """Four frames at 8 a second are a clip."""
    write_mp4(np.zeros((4, 32, 32, 3), np.uint8), film, 8.0)
    DOMAIN.read(model, film)
    assert not caplog.messages
    write_mp4(np.zeros((5, 32, 32, 3), np.uint8), film, 8.0)
    assert DOMAIN.read(model, film).items.shape[2] == 4
    assert [one.partition(":")[2] for one in caplog.messages] == [
        " its first 0.5 seconds are read, as long as a clip of the model is"
    ]


def test_a_short_film_ends_on_its_last_frame(model: Model, film: Path):
    examples = DOMAIN.read(model, film)
    assert examples.conditions == ["a red circle"]
    frames = to_frames(examples.items)[0]
    assert frames.shape == (4, 16, 16, 3)
    assert frames.mean((1, 2, 3)).tolist() == pytest.approx([0, 128, 255, 255], abs=3)
    table = film.with_name("clips.csv")
    table.write_text("path,caption\nfilm.mp4,a circle\nfilm.mp4,a red one\nx.mp4,another\n")
    assert DOMAIN.read(model, film).conditions == ["a circle"], "the first of its captions"


def test_a_sentence_is_a_place_of_the_prior_and_a_file_one_of_the_encoder(
    model: Model, film: Path
):
    one, repeated, other = (place(model, CAPTION, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one.u, repeated.u)
    assert not torch.equal(one.u, other.u)
    file = place(model, str(film), 0)[0]
    assert torch.equal(file.u, place(model, str(film), seed=5)[0].u)
    assert file.u.shape == one.u.shape == (1, 8)


def test_a_place_of_a_sentence_is_what_sampling_makes(model: Model):
    decoded = model.decode(place(model, CAPTION, seed=0)[0])
    torch.testing.assert_close(decoded, model.clips([CAPTION], seed=0), atol=1e-5, rtol=1e-4)


def test_an_interpolation_begins_and_ends_at_its_two_points(model: Model, film: Path):
    first, last = place(model, CAPTION, 3)[0], place(model, str(film), 0)[0]
    path = model.decode(slerp(first, last, 5))
    assert path.shape == (5, 3, 4, 16, 16)
    torch.testing.assert_close(path[:1], model.decode(first), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(path[-1:], model.decode(last), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "said"),
    [("none.mp4", "there is no such file: correct its path"), ("bad.mp4", "bytes")],
)
def test_what_cannot_be_read_is_named(model: Model, tmp_path: Path, name: str, said: str):
    (tmp_path / "bad.mp4").touch()
    with pytest.raises(UserError, match=f"{name}.*{said}"):
        place(model, str(tmp_path / name), 0)


def test_the_commands_write_what_they_name(folder: Path, film: Path, tmp_path: Path):
    arguments = {
        "interpolate": [CAPTION, film, "--points", 3],
        "arithmetic": [CAPTION, film, "a square"],
        "vary": [film, "--count", 2],
        "reconstruct": [film],
    }
    clips = {"interpolate": 3, "arithmetic": 1, "vary": 2, "reconstruct": 1}
    for command, points in arguments.items():
        to = tmp_path / command
        code, said, complaint = run(
            "video", command, folder, *points, "--device", "cpu", "--to", to
        )
        assert code == 0
        assert all("is not like the sentences" in line for line in complaint.splitlines())
        assert sorted(map(Path, said.splitlines())) == sorted(to.iterdir())
        assert len(list(to.glob("*.mp4"))) == clips[command]


def test_too_few_places_are_refused(folder: Path):
    code, _, complaint = run("video", "interpolate", folder, CAPTION)
    assert code == 2
    assert complaint.startswith("error: give 2 clips after the run, if you name one, and not 1: ")


def test_a_sampled_clip_is_read_with_its_caption(folder: Path, tmp_path: Path):
    """So that its reconstruction is that of the sentence, and not of the name of its file."""
    other = "A large blue square is moving in a straight line towards east"
    command = ["video", "sample", folder, CAPTION, other, "--seed", 5, "--device", "cpu"]
    assert run(*command, "--to", tmp_path)[0] == 0
    for seed, caption in ((5, CAPTION), (6, other)):
        (film,) = tmp_path.glob(f"tiny-seed{seed}-*.mp4")
        assert DOMAIN.read(Model.load(folder, "cpu"), film).conditions == [caption]
        code, said, _ = run("video", "reconstruct", folder, film, "--to", tmp_path / "to")
        assert code == 0
        (clip,) = [Path(line) for line in said.splitlines() if line.endswith(".mp4")]
        with av.open(str(clip)) as file:
            assert file.metadata["title"] == caption
