"""Characters from sheets: what lies in front of what, which cells are shown, what is said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import run
from matplotlib.image import imsave

from core.errors import UserError
from videogen.data.sprites import (
    CELL,
    FRAMES,
    LAYERS,
    NUMBERED,
    Character,
    characters,
    compose,
    sheets,
    write_sprites,
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sheets whose cells all differ: blue says the column, and hair covers the left half."""
    folder = tmp_path_factory.mktemp("parts")
    for layer in LAYERS:
        for name in ("0", "my_own"):
            sheet = np.zeros((21 * CELL, 13 * CELL, 4), np.uint8)
            if layer == "body":
                sheet[..., 0], sheet[..., 3] = 200, 255
                sheet[..., 2] = np.arange(13 * CELL)[None] // CELL
                sheet[..., 1] = np.arange(21 * CELL)[:, None] // CELL
            if layer == "hair":
                sheet[..., 1] = 255
                sheet[:, np.arange(13 * CELL) % CELL < CELL // 2, 3] = 255
            (folder / layer).mkdir(exist_ok=True)
            imsave(folder / layer / f"{name}.png", sheet)
    return folder


def character(action: str, direction: str) -> Character:
    names = {"body": "pale", "hair": "green", "topwear": "red", "bottomwear": "my own"}
    return Character({**names, "shoes": "brown", "eyes": "blue"}, action, direction)


def test_hair_covers_the_body_and_the_right_cells_are_shown(parts: Path):
    frames = compose(character("walks", "to the right"), sheets(parts))
    assert frames.shape == (FRAMES, CELL, CELL, 3)
    assert (frames[:, :, : CELL // 2] == (0, 255, 0)).all()
    assert (frames[:, :, CELL // 2 :, 0] == 200).all()
    assert (frames[:, :, CELL // 2 :, 1] == 8 + 3).all()  # walks: rows 8 to 11, the right one last
    assert frames[:, 0, -1, 2].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]  # without the one that stands


def test_a_short_action_is_repeated(parts: Path):
    frames = compose(character("slashes", "to the left"), sheets(parts))
    assert frames[:, 0, -1, 2].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert (frames[:, :, -1, 1] == 12 + 1).all()


def test_where_nothing_is_drawn_the_background_is_grey(monkeypatch: pytest.MonkeyPatch):
    nothing = np.zeros((21 * CELL, 13 * CELL, 4))
    monkeypatch.setattr("videogen.data.sprites._sheet", lambda path: nothing)
    shown = character("walks", "towards us")
    found = {layer: {shown.parts[layer]: Path(layer)} for layer in LAYERS}
    assert (compose(shown, found) == round(0.35 * 255)).all()


def test_the_numbered_sheets_of_a_layer_have_names_of_their_own():
    for names in NUMBERED.values():
        assert len(set(names)) == len(names)
        assert not {*names} & {*LAYERS}


def test_captions_name_numbered_sheets_and_own_ones(parts: Path):
    assert set(sheets(parts)["hair"]) == {"green", "my own"}
    assert character("walks", "towards us").caption == (
        "a character with pale skin, green hair, a red shirt, my own trousers and brown shoes "
        "walks towards us"
    )


def test_no_two_characters_have_one_caption(parts: Path):
    found = sheets(parts)
    sampled = characters(found, 50, seed=1)
    assert len({one.caption for one in sampled}) == 50
    assert sampled == characters(found, 50, seed=1)
    everyone = characters(found, 400, seed=1)
    assert len(everyone) == 2**5 * 9  # captions do not name eyes


def test_the_command_writes_what_prepare_reads(parts: Path, tmp_path: Path):
    code, said, _ = run("video", "sprites", parts, "--to", tmp_path / "to", "--count", 5)
    assert code == 0
    assert "5 clips" in said
    rows = [json.loads(line) for line in (tmp_path / "to/clips.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [f"{n:05d}.gif" for n in range(5)]
    options = ("--size", 16, "--frames", 8, "--fps", 8, "--to", tmp_path / "data")
    code, said, _ = run("video", "prepare", tmp_path / "to" / "clips.jsonl", *options)
    assert code == 0
    assert "5 of manifest" in said


def test_what_is_no_sheet_is_named(parts: Path, tmp_path: Path):
    parts = Path(shutil.copytree(parts, tmp_path / "parts"))
    (parts / "hair" / "0.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"0\.png is not a readable picture"):
        compose(character("walks", "to the left"), sheets(parts))
    imsave(parts / "hair" / "0.png", np.zeros((64, 64, 4), np.uint8))
    with pytest.raises(UserError, match=r"0\.png is not a sheet"):
        compose(character("walks", "to the left"), sheets(parts))
    with pytest.raises(UserError, match="has no sheets"):
        sheets(parts / "hair")


def test_sprites_are_not_written_among_other_files(tmp_path: Path):
    (tmp_path / "00000.gif").write_bytes(b"mine")
    with pytest.raises(UserError, match=f"{tmp_path} holds other files: choose an empty"):
        write_sprites(tmp_path, tmp_path)
    assert (tmp_path / "00000.gif").read_bytes() == b"mine"
