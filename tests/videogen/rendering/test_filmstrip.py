"""Pictures of clips: what is drawn where."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from PIL import Image

from core.errors import UserError
from videogen.rendering.filmstrip import (
    draw_filmstrip,
    draw_grid,
    draw_parts,
    draw_rows,
    evenly_spaced,
)


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


def box(picture: np.ndarray, colour: tuple[int, int, int]) -> list[list[int]]:
    """Return the first and the last row and column of a colour."""
    places = np.argwhere((picture == np.array(colour, np.uint8)).all(2))
    return [places.min(0).tolist(), places.max(0).tolist()]


def test_images_lie_below_their_titles_and_four_pixels_apart(tmp_path: Path):
    """64 pixels become 128, below 30 of a title; a row without one follows at once."""
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    rows = [("a", coloured(red, green)), ("", coloured(blue))]
    draw_rows(rows, tmp_path / "rows.png")
    picture = drawn(tmp_path / "rows.png")
    assert picture.shape == (30 + 128 + 4 + 128 + 4 + 4, 4 + 2 * (128 + 4) + 4, 3)
    assert box(picture, red) == [[34, 4], [161, 131]]
    assert box(picture, green) == [[34, 136], [161, 263]]
    assert box(picture, blue) == [[166, 4], [293, 131]]


def test_of_many_frames_evenly_spaced_ones_are_drawn(tmp_path: Path):
    """Four of nine are 0, 8/3, 16/3 and 8. A grid has eight of each clip."""
    frames = coloured(*[(n, 0, 99) for n in range(9)])
    assert evenly_spaced(frames, 4)[:, 0, 0, 0].tolist() == [0, 3, 5, 8]
    assert evenly_spaced(frames, 10)[:, 0, 0, 0].tolist() == list(range(9))
    clips = torch.zeros(2, 3, 20, 16, 16)
    draw_grid(clips, ["a", "b"], tmp_path / "grid.png")
    height, width, _ = drawn(tmp_path / "grid.png").shape
    assert (height, width) == (2 * (30 + 128 + 4) + 4, 4 + 8 * (128 + 4) + 4)


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
