"""Pictures and files of clips: what is drawn where, and what files are called."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from videogen.files.render import draw_filmstrip, draw_parts, draw_rows, enlarged, slug, write_clip


def coloured(*frames: tuple[int, int, int]) -> np.ndarray:
    """Frames of 64x64 pixels, each of one colour."""
    return np.array(frames, np.uint8)[:, None, None].repeat(64, 1).repeat(64, 2)


def drawn(path: Path) -> np.ndarray:
    """uint8 [height width rgb]."""
    return (imread(path)[..., :3] * 255).round().astype(np.uint8)


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour, np.uint8)).all(2).sum())


def test_every_frame_is_drawn_enlarged_and_in_order(tmp_path: Path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    draw_filmstrip(coloured(*colours), tmp_path / "strip.png", "a $caption$ {with} signs_")
    picture = drawn(tmp_path / "strip.png")
    assert [count(picture, colour) for colour in colours] == [128 * 128] * 3
    places = [np.nonzero((picture == colour).all(2))[1].mean() for colour in colours]
    assert places == sorted(places)


def test_what_is_too_wide_goes_on_below_in_equal_strips(tmp_path: Path):
    colours = [(10 * n, 0, 99) for n in range(16)]
    draw_rows([("all", coloured(*colours))], tmp_path / "rows.png")
    picture = drawn(tmp_path / "rows.png")
    tops = [np.nonzero((picture == colour).all(2))[0].min() for colour in colours]
    assert len(set(tops[:8])) == len(set(tops[8:])) == 1
    assert tops[8] > tops[0]
    assert picture.shape[1] < 1500


def test_a_mask_is_drawn_from_black_to_white(tmp_path: Path):
    parts = {
        "background": torch.tensor([-1.0, 1, -1]).view(3, 1, 1).expand(3, 32, 32),
        "mask": torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 32, 32),
    }
    draw_parts(parts, tmp_path / "parts.png", "a caption")
    picture = drawn(tmp_path / "parts.png")
    assert count(picture, (0, 255, 0)) == count(picture, (0, 0, 0)) == 128 * 128


def test_pixels_become_squares():
    frames = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    large = enlarged(frames, 6)
    assert large.shape == (2, 6, 9, 3)
    assert np.array_equal(large[:, 1::3, 1::3], frames)
    assert enlarged(large, 2) is not None
    assert enlarged(large, 2).shape == large.shape  # nothing is made smaller


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("Ein Hund läuft!", "ein-hund-läuft"),
        ("?", "clip"),
        ("a" * 99, "a" * 60),
        ("two\nlines\x00", "two-lines"),
    ],
)
def test_a_caption_names_a_file_and_no_folder(caption: str, name: str):
    assert slug(caption) == name


def test_a_clip_is_three_files(tmp_path: Path):
    frames = coloured((255, 0, 0), (0, 255, 0))
    paths = list(write_clip(frames, tmp_path / "one", "a caption", 8.0))
    assert paths == [tmp_path / f"one{suffix}" for suffix in (".mp4", ".gif", ".png")]
    assert all(path.stat().st_size for path in paths)
