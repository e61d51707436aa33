"""Files that someone deletes, empties or changes underneath the studio: sentences, no faults."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from musegen.model import DOMAIN
from studio import child
from studio.components.clip_grid import clip_grid
from studio.components.songbook import shelf
from studio.folder import StudioFolder
from studio.rooms.files import FileRoom
from studio.rooms.models import is_trained, names_of
from studio.rooms.runs import OF_TRAINING, RunRoom
from studio.rooms.training import TrainRoom

HARM: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:7]),
    "overwritten": lambda path: path.write_bytes(b'["\xff", 1]'),
    "nested": lambda path: path.write_bytes(b'{"step": 1, "rows": ' + b"[" * 100_000),
    "of other types": lambda path: path.write_bytes(b'{"step": "x", "seconds": "y", "rows": 5}'),
    "endless": lambda path: path.write_bytes(
        b'{"step": 5, "seconds": NaN, "rows": [{"name": "mine", "a": 1' + b"0" * 400 + b"}]}"
    ),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.fixture
def folder(tmp_path: Path) -> StudioFolder:
    folder = StudioFolder.of(tmp_path)
    run, collection = folder.runs / "mine", tmp_path / "collections" / "mine"
    clip, song = tmp_path / "clips" / "2026-01-02_10-00-00_a", tmp_path / "songs" / "2026_1_b"
    train = ["music", "train", str(collection), "--to", str(run), "--model", "vae"]
    files = {
        run / "config.yaml": '# pianoreel run, format 2\nspec: {bars: 4}\ntrain: {"minutes": 1}\n',
        run / "metrics.jsonl": '{"step": 3, "distance": 0.5, "seconds": 2.0}\n',
        run / "command.json": json.dumps([*train, "--preset", "tiny"]),
        run / "log.txt": "step 3\n",
        run / "evaluation.json": '{"rows": [{"name": "mine", "all": 0.5}]}',
        run / "samples" / "step-00000003.png": "picture",
        run / "checkpoints" / "3" / "ema.safetensors": "weights",
        collection / "summary.txt": "4 files: 4 kept\n",
        collection / "rejects.jsonl": '{"path": "a.mid", "reason": "r", "detail": "d"}\n',
        clip / "a.mp4": "film",
        clip / "a.txt": "a caption\n",
        song / "b.mid": "song",
        song / "b.json": "{}",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def looks(folder: StudioFolder) -> Iterator[Callable[[], Any]]:
    """Yield the answers of the rooms to someone who looks at them."""
    training, runs = TrainRoom(folder), RunRoom(folder)
    yield lambda: names_of(folder, DOMAIN)
    yield lambda: is_trained(folder, DOMAIN, "mine")
    yield lambda: training.view("mine", "")
    yield lambda: training.expectation("songs", "tiny", "vae", 3.0)
    yield lambda: training.refresh("mine", "songs", "mine", "vae", "mine")
    yield lambda: runs.refresh(["mine"], OF_TRAINING)
    yield lambda: FileRoom(folder).report("mine")
    yield lambda: child.command_of(folder.run("mine"))
    yield lambda: clip_grid(folder)
    yield lambda: shelf(folder)


@pytest.mark.parametrize(
    "harm",
    ["cut", *(pytest.param(harm, marks=pytest.mark.slow) for harm in HARM if harm != "cut")],
)
def test_a_changed_file_is_answered_with_a_sentence(folder: StudioFolder, harm: str):
    for path in [path for path in folder.root.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        HARM[harm](path)
        for look in looks(folder):
            try:
                look()
            except UserError as error:
                assert len(str(error)) < 300
        if path.exists():
            path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(content)


def test_names_that_no_page_can_show_are_passed_over(folder: StudioFolder):
    odd = os.fsdecode(b"caf\xe9")
    for place in ("runs", "collections", "songs", "clips", "songs/2026_1_b"):
        (folder.root / place / odd).mkdir()
    (folder.root / "songs" / "2026_1_b" / f"{odd}.json").write_text("{}")
    (folder.root / "runs" / "mine" / "samples" / "step-last.png").write_text("picture")
    for look in looks(folder):
        look()
    assert odd not in TrainRoom(folder).refresh("mine", "songs", "mine", "vae", "mine")[0]
    assert [one["name"] for one in shelf(folder)] == ["b"]


def test_what_is_whole_is_shown(folder: StudioFolder):
    for look in looks(folder):
        look()
    assert "0.5" in RunRoom(folder).compare(["mine"])
    assert "a.mid" in FileRoom(folder).report("mine")
    status, shown, _ = TrainRoom(folder).view("mine", "")
    assert "step 3 of about 90" in status and "distance" in shown
    said = TrainRoom(folder).expectation("songs", "tiny", "vae", 3.0)
    assert "At the pace of mine, 3 minutes reach about 270 steps" in said
