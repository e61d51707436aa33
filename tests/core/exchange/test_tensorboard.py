"""TensorBoard reads of a run what its record says, each point once."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from core.errors import Stopped, UserError
from core.ring.data import DrawnRing
from core.ring.model import train
from core.training.loop import Monitor

SETTINGS = (
    *("train.tensorboard=true", "train.steps=6", "train.log_every_steps=2"),
    *("train.sample_every_steps=3", "train.save_every_steps=1", "train.batch_size=4"),
)


def shown(run: Path) -> Any:
    """The events of a run, as TensorBoard reads them."""
    found = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    sizes = {"images": 0, "audio": 0, "scalars": 0}  # 0: all
    return found.EventAccumulator(str(run / "tensorboard"), size_guidance=sizes).Reload()


def curve(board: Any, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in board.Scalars(name)]


def recorded(run: Path, key: str) -> list[tuple[int, float]]:
    """The points of a key of metrics.jsonl, in single precision as TensorBoard keeps them."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], float(np.float32(line[key]))) for line in lines if key in line]


@pytest.mark.slow
def test_a_resumed_run_is_on_the_board_as_it_is_in_its_record(tmp_path):
    pytest.importorskip("tensorboard")
    run, done = tmp_path / "run", []
    stop = Monitor(should_stop=lambda: len(done) > 3, on_step=lambda *at: done.append(at))
    learn: Any = (DrawnRing(), run, "vae", "tiny", "cpu", SETTINGS)
    with pytest.raises(Stopped):
        train(*learn, monitor=stop)
    assert [step for step, _ in curve(shown(run), "training/match_z")] == [2, 4]
    late = {"step": 9, "match_z": 5.0, "seconds": 1.0}  # what a kill leaves after a checkpoint
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(late) + "\n")
    train(*learn)
    board = shown(run)
    for name, key in (("training/match_z", "match_z"), ("training/skipped", "skipped")):
        assert curve(board, name) == recorded(run, key)
        assert [step for step, _ in curve(board, name)] == [2, 4, 6]
    assert curve(board, "measured/distance") == recorded(run, "distance")
    assert len(list((run / "tensorboard").iterdir())) == 1
    pictures = board.Images("samples")
    assert [one.step for one in pictures] == [3, 6]
    assert pictures[1].encoded_image_string == (run / "samples/step-00000006.png").read_bytes()
    height, width, _ = plt.imread(run / "samples" / "step-00000006.png").shape
    assert (pictures[1].width, pictures[1].height) == (width, height)
    seconds = [point.wall_time for point in board.Scalars("training/match_z")]
    written = [s for _, s in recorded(run, "seconds")]  # in milliseconds
    assert np.diff(seconds).round(3).tolist() == np.diff(written).round(3).tolist()


@pytest.mark.slow
def test_a_board_that_is_asked_for_late_has_all_that_was_recorded(tmp_path):
    pytest.importorskip("tensorboard")
    run = tmp_path / "run"
    train(DrawnRing(), run, "vae", "tiny", "cpu", SETTINGS[1:])
    assert not (run / "tensorboard").exists()
    train(DrawnRing(), run, "vae", "tiny", "cpu", SETTINGS)
    assert curve(shown(run), "training/match_z") == recorded(run, "match_z")


def test_what_is_not_finite_is_no_point_and_a_sound_is_there(tmp_path):
    pytest.importorskip("tensorboard")
    from core.exchange.tensorboard import Board

    loss = {"loss": None, "gradient_loss": 3.0}
    lines = [{"step": 1, **loss, "seconds": 2.5}, {"step": 1, "share": 0.5}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 2, "sha')
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "step-00000001.wav").write_bytes(b"RIFF sound")
    Board(tmp_path).close()
    board = shown(tmp_path)
    assert board.Tags()["scalars"] == ["gradients/loss", "measured/share"]
    assert [(one.step, one.encoded_audio_string) for one in board.Audio("sound")] == [
        (1, b"RIFF sound")
    ]


def test_a_missing_extra_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(UserError, match=r"pip install 'pianoreel\[tensorboard\]'"):
        train(DrawnRing(), tmp_path / "run", "vae", "tiny", "cpu", SETTINGS)
    assert list(tmp_path.iterdir()) == []
