"""Runs and checkpoints: what is written is whole or absent, what has changed is refused."""

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core import checkpoint as checkpoints
from core.checkpoint import Checkpoint, Corrupt, save_checkpoint
from core.config import ConfigError, Resumable, UserError
from core.run import Interruption, Run, export

STATE = {
    "networks": {"a.weight": torch.tensor([[1.0, -2.5]]), "a.count": torch.tensor(7)},
    "optimizers": {
        "a": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]}
    },
    "averages": {"a.weight": torch.tensor([[0.5, 1 / 3]])},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "step-00000003"
    save_checkpoint(folder, STATE, {"step": 3})
    return folder


def test_a_checkpoint_comes_back_to_the_bit(saved):
    stored = Checkpoint.open(saved)
    state = stored.state()
    assert stored.facts == {"step": 3}
    assert torch.equal(state["networks"]["a.weight"], STATE["networks"]["a.weight"])
    assert state["networks"]["a.count"].dtype == torch.int64
    assert state["optimizers"]["a"]["param_groups"] == [{"lr": 0.1}]
    assert state["optimizers"]["a"]["state"][0]["step"].item() == 3.0


@pytest.mark.parametrize("name", ["networks.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["truncated", "flipped", "missing"])
def test_a_damaged_file_is_named(saved, name, harm):
    path = saved / name
    data = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(data[:-3])
    else:
        data[0 if name == "state.json" else -1] ^= 1
        path.write_bytes(data)
    with pytest.raises(Corrupt, match=name):
        Checkpoint.open(saved)


def test_an_older_checkpoint_stands_in_for_a_damaged_one(tmp_path, capsys):
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})
        run.save(2, STATE, {"step": 2})
        newest = tmp_path / "run/checkpoints/step-00000002/networks.safetensors"
        newest.write_bytes(newest.read_bytes()[:-1])
        stored = run.latest()
    assert stored is not None and stored.facts["step"] == 1
    assert "step-00000002" in capsys.readouterr().err


def test_a_full_disk_keeps_what_was_there(tmp_path, monkeypatch):
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})

        def full(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(checkpoints, "save_file", full)
        with pytest.raises(Resumable, match="No space left"):
            run.save(2, STATE, {"step": 2})
        assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["step-00000001"]
        assert run.latest() is not None


def test_values_that_are_not_finite_are_never_saved(tmp_path):
    with pytest.raises(ValueError, match="bad"):
        save_checkpoint(tmp_path / "c", {"networks": {"bad": torch.tensor([float("nan")])}}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_newest_two_and_the_best_are_kept(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        for step, distance in ((1, 0.5), (2, 0.25), (3, 0.75), (4, 0.3)):
            run.save(step, STATE, {"step": step}, best=distance)
        names = sorted(p.name for p in (run.folder / "checkpoints").iterdir())
        assert names == ["best", "step-00000003", "step-00000004"]
        best = run.best()
    assert best is not None and best.facts == {"step": 2, "best": 0.25}


def test_other_settings_are_refused_but_for_the_budget(tmp_path):
    config = {"model": {"width": 8}, "train": {"steps": 10}}
    Run.open(tmp_path / "run", config).__exit__(None, None, None)
    with pytest.raises(ConfigError, match=r"model.width: 8 -> 16"):
        Run.open(tmp_path / "run", {"model": {"width": 16}, "train": {"steps": 10}})
    longer = {"model": {"width": 8}, "train": {"steps": 20}}
    with Run.open(tmp_path / "run", longer, changeable=["train.steps"]) as run:
        assert run.config == longer


def test_a_folder_in_use_names_the_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from core.run import Run\n"
        f"run = Run.open(Path({str(tmp_path)!r}), {{}}); print('held', flush=True); time.sleep(60)"
    )
    root = Path(__file__).parent.parent
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root)
    try:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=f"process {other.pid} "):
            Run.open(tmp_path, {})
    finally:
        other.kill()
        other.wait()
    Run.open(tmp_path, {}).__exit__(None, None, None)  # a killed process holds nothing


def test_a_folder_that_is_no_run_says_so(tmp_path):
    with pytest.raises(UserError, match="no run"):
        Run.read(tmp_path)


def test_a_resumed_log_has_no_step_twice(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        for step in (1, 2, 3):
            run.log(step, {"loss": step / 2})
        with (run.folder / "metrics.jsonl").open("a") as file:
            file.write('{"step": 4, "lo')  # a kill in the middle of a line
        run.forget_after(2)
        lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
    ]


def test_the_first_signal_waits_for_the_step_and_the_second_does_not(tmp_path):
    run = Run(tmp_path, {})
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.noted
        with pytest.raises(SystemExit) as stopped:
            interruption.raise_if_noted(run)
        assert stopped.value.code == 143
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)


def test_an_exported_run_holds_the_best_averages_in_half_precision(tmp_path):
    with Run.open(tmp_path / "run", {"a": 1}) as run:
        run.save(5, STATE, {"step": 5}, best=0.1)
        export(run, tmp_path / "weights")
    shared = Run.read(tmp_path / "weights")
    best = shared.best()
    assert best is not None and best.groups == ("averages",)
    weights = best.group("averages")["a.weight"]
    assert weights.dtype == torch.float16
    torch.testing.assert_close(weights.float(), STATE["averages"]["a.weight"], rtol=1e-3, atol=0)
