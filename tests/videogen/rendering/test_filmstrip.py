"""Pictures of clips: what is drawn where."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from PIL import Image

from core.errors import UserError
from videogen.rendering.filmstrip import draw_filmstrip, draw_parts, draw_rows


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


def test_a_title_that_is_too_wide_is_cut_and_the_picture_is_not_widened(tmp_path: Path):
    frames = coloured((255, 0, 0))
    for name, title in (("short", "a"), ("long", "a caption of many words " * 50)):
        draw_filmstrip(frames, tmp_path / f"{name}.png", title)
    short, long = (drawn(tmp_path / f"{name}.png") for name in ("short", "long"))
    assert short.shape == long.shape
    assert (long[:, :2] == 255).all() and (long[:, -2:] == 255).all(), "nothing is cut off"


def test_a_script_without_letters_in_the_font_is_no_complaint(tmp_path: Path, recwarn):
    draw_filmstrip(coloured((255, 0, 0)), tmp_path / "strip.png", "犬が走る 🐶")
    assert not list(recwarn)


def test_a_picture_holds_what_is_said_of_it(tmp_path: Path):
    tags = {"Title": "ein Hund läuft", "Description": "made with pianoreel"}
    draw_filmstrip(coloured((255, 0, 0)), tmp_path / "strip.png", "a", tags)
    held = Image.open(tmp_path / "strip.png").info
    assert {key: held[key] for key in tags} == tags


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=f"no folder {tmp_path / 'none'}: create it first"):
        draw_filmstrip(coloured((255, 0, 0)), tmp_path / "none" / "strip.png", "red")
