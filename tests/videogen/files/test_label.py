"""Names, captions and origins of generated clips."""

from pathlib import Path

import numpy as np
import pytest

from videogen.files.clip import write_gif, write_mp4, write_webm
from videogen.files.label import Label, origin_of


@pytest.mark.parametrize(
    ("caption", "name"), [("../../etc/passwd", "etc-passwd"), ("?", "clip"), ("", "clip")]
)
def test_a_caption_names_a_file_and_no_folder(caption: str, name: str):
    assert Label.of("shapes", 7, caption).name == f"shapes-seed7-{name}"


def test_a_label_says_which_model_and_seed_and_how():
    label = Label.of("shapes", 7, " A dog\n runs ", frames=48, fps=None)
    assert (label.name, label.title, label.caption) == (
        "shapes-seed7-a-dog-runs",
        "A dog runs",
        "A dog runs",
    )
    by, _, how = label.origin.partition(": ")
    assert by.startswith("made with pianoreel ")
    assert how == "shapes, seed 7, frames 48"


def test_the_origin_of_a_film_is_read_back_and_of_other_films_there_is_none(tmp_path: Path):
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    label = Label.of("shapes", 7, "a dog")
    write_mp4(frames, tmp_path / "a.mp4", 8, tags=label.tags)
    write_webm(frames, tmp_path / "a.webm", 8, tags=label.tags)
    write_mp4(frames, tmp_path / "b.mp4", 8, tags={"comment": "my holidays"})
    write_gif(frames, tmp_path / "c.gif", 8)
    (tmp_path / "d.mp4").write_text("no film")
    found = {path.name: origin_of(path) for path in tmp_path.iterdir()}
    assert found == {
        "a.mp4": label.origin,
        "a.webm": label.origin,
        "b.mp4": "",
        "c.gif": "",
        "d.mp4": "",
    }
    assert origin_of(tmp_path / "absent.mp4") == ""
