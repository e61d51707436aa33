"""Runs: folders that explain themselves, are worked in by one command, and resume to the bit."""

import errno
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from faults import in_a_child, kill_at

from core.errors import ConfigError, Resumable, Stopped, UserError
from core.files import LOCK
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.theory.passes import Batch
from core.training import checkpoint as checkpoint_module
from core.training import interruption
from core.training import run as run_module
from core.training.checkpoint import Corrupt
from core.training.interruption import Interruption
from core.training.loop import UNMONITORED, Monitor, TrainConfig, train
from core.training.run import Run, export
from core.training.step import TrainState

STATE = {
    "networks": {"a.weight": torch.tensor([[1.0, -2.5]]), "a.count": torch.tensor(7)},
    "optimizers": {
        "a": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]}
    },
    "ema": {"a.weight": torch.tensor([[0.5, 1 / 3]])},
}


def test_an_older_checkpoint_stands_in_for_a_damaged_one(tmp_path, caplog):
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})
        run.save(2, STATE, {"step": 2})
        newest = tmp_path / "run/checkpoints/step-00000002/networks.safetensors"
        newest.write_bytes(newest.read_bytes()[:-1])
        stored = run.latest()
    assert stored is not None and stored.facts["step"] == 1
    assert "step-00000002" in caplog.text


def test_the_newest_two_and_the_best_are_kept(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        for step, distance in ((1, 0.25), (2, 0.25), (3, 0.75), (4, 0.3)):  # the later of equals
            run.save(step, STATE, {"step": step})
            run.save_if_best(distance, STATE, {"step": step})
        names = sorted(p.name for p in (run.folder / "checkpoints").iterdir())
        assert names == ["best", "step-00000003", "step-00000004"]
        best = run.best()
    assert best is not None and best.facts == {"step": 2, "best": 0.25}


def test_other_settings_are_refused_but_for_the_budget(tmp_path):
    config = {"model": {"width": 8}, "train": {"steps": 10}}
    Run.open(tmp_path / "run", config).__exit__(None, None, None)
    for cure in ("or delete it: it has no weights", "another folder, where --from .* begins"):
        with pytest.raises(ConfigError, match=rf"model.width: 8 -> 16.*{cure}"):
            Run.open(tmp_path / "run", {"model": {"width": 16}, "train": {"steps": 10}})
        with Run.open(tmp_path / "run", config) as run:
            run.save(1, STATE, {"step": 1})
    longer = {"model": {"width": 8}, "train": {"steps": 20}}
    with Run.open(tmp_path / "run", longer, changeable=["train.steps"]) as run:
        assert run.config == longer


def test_what_changes_is_written_into_the_history(tmp_path):
    """And is said; a change that is made twice, as the first was killed, is one change."""
    config = {"train": {"rate": 0.1, "steps": 10}}
    with Run.open(tmp_path, config) as run:
        run.save(7, STATE, {"step": 7})
        assert run.history() == []
    lower = {"train": {"rate": 0.01, "steps": 20}}
    before = (tmp_path / "config.yaml").read_text()
    for _ in range(2):
        (tmp_path / "config.yaml").write_text(before)
        with Run.open(tmp_path, lower, changeable=["train.rate", "train.steps"]) as run:
            changed = {"train.rate": [0.1, 0.01], "train.steps": [10, 20]}
            assert run.history() == [{"step": 7, "changed": changed}]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("data_sha256", "another collection"),
        ("other_sha256", "another second collection"),
        ("model", r"another model \(gan -> vae\)"),
    ],
)
def test_other_data_or_another_model_is_refused_in_a_line(tmp_path, key, sentence):
    """However long what comes with them is."""
    config = {"model": {"recipe": "gan"}, "data_sha256": "a1", "other_sha256": "", "spec": {}}
    Run.open(tmp_path, config).__exit__(None, None, None)
    other = {"recipe": "vae"} if key == "model" else "b2"
    changed = config | {key: other, "spec": {"words": ["word"] * 1000}}
    with pytest.raises(ConfigError, match=rf"was started with {sentence}: repeat") as caught:
        Run.open(tmp_path, changed)
    assert len(str(caught.value)) < 200 + 2 * len(str(tmp_path))


def test_weights_without_the_settings_that_they_are_of_are_left_alone(tmp_path):
    with Run.open(tmp_path, {"a": 1}) as run:
        run.save(1, STATE, {"step": 1})
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(UserError, match=rf"{tmp_path} holds checkpoints, but not the config.yaml"):
        Run.open(tmp_path, {"a": 2})
    assert not (tmp_path / "config.yaml").exists()


def test_a_folder_in_use_names_the_process(tmp_path, caplog):
    code = (
        "import sys, time; from pathlib import Path; from core.training.run import Run\n"
        f"run = Run.open(Path({str(tmp_path)!r}), {{}}); print('held', flush=True); time.sleep(60)"
    )
    root = REPOSITORY
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root)
    try:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=rf"process {other.pid} on \S+ \(since 20\d\d-"):
            Run.open(tmp_path, {})
    finally:
        other.kill()
        other.wait()
    with Run.open(tmp_path, {}):  # the killed process holds nothing
        assert f"process {other.pid} " in caplog.text
    caplog.clear()
    with Run.open(tmp_path, {}):  # and whoever left of itself is not mentioned
        assert caplog.text == ""


@pytest.mark.parametrize(
    "error", [ConfigError("batch"), UserError("memory"), MemoryError(), Resumable("disk")]
)
def test_a_training_that_is_refused_leaves_no_folder(tmp_path, error: Exception):
    """It would be in the way of the right one; what was there before stays."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with Run.open(tmp_path / "begun", {}):
        pass
    for name in ("new", "mine", "begun"):
        with pytest.raises(type(error)), Run.open(tmp_path / name, {}) as run:
            run.log(1, {"loss": 0.5})
            raise error
    goes_on = {"new"} if isinstance(error, Resumable) else set()
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "begun"} | goes_on
    assert (tmp_path / "mine" / "notes.txt").exists()


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


def test_an_exported_run_holds_the_best_averages_in_half_precision(tmp_path):
    with Run.open(tmp_path / "run", {"a": 1}) as run:
        run.save_if_best(0.1, STATE, {"step": 5})
        export(run, tmp_path / "new" / "weights")
    shared = Run.read(tmp_path / "new" / "weights")
    best = shared.best()
    assert best is not None and best.groups == ("ema",)
    weights = best.group("ema")["a.weight"]
    assert weights.dtype == torch.float16
    torch.testing.assert_close(weights.float(), STATE["ema"]["a.weight"], rtol=1e-3, atol=0)


def test_all_checkpoints_damaged_is_an_error_that_loses_nothing(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})
        (run.checkpoints / "step-00000001/state.json").write_text("{}")
        with pytest.raises(Corrupt, match=r"step-00000001/state\.json.*: put back a copy of one"):
            run.latest()
        assert (run.checkpoints / "step-00000001/networks.safetensors").exists()


def test_a_damaged_checkpoint_does_not_outlive_a_whole_one(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        for step in (8, 9):
            run.save(step, STATE, {"step": step})
        (run.checkpoints / "step-00000009/state.json").unlink()
        stored = run.latest()
        assert stored is not None
        run.forget_after(int(stored.fact("step")))
        run.save(10, STATE, {"step": 10})
        names = sorted(path.name for path in run.checkpoints.iterdir())
    assert names == ["step-00000008", "step-00000010"]


@pytest.mark.parametrize("has_best", [True, False])
@pytest.mark.parametrize("moment", ["_read_index", "_check", "read_tensors", "join"])
def test_weights_are_read_while_a_training_replaces_them(
    tmp_path, monkeypatch, caplog, moment: str, has_best: bool
):
    """At any moment: no checkpoint that it removes meanwhile is taken for a damaged one."""
    step, own = 0, getattr(checkpoint_module, moment)

    def save(run: Run) -> None:
        nonlocal step
        for _ in range(3):
            step += 1
            ema = {"a.weight": torch.full((1, 1), float(step))}
            run.save(step, {"ema": ema}, {"step": step})
            if has_best:
                run.save_if_best(1 / step, {"ema": ema}, {"step": step})

    def while_saved(*arguments: Any) -> Any:
        monkeypatch.undo()
        save(run)
        return own(*arguments)

    network = torch.nn.Linear(1, 1, bias=False)
    with Run.open(tmp_path / "run", {}) as run:
        save(run)
        monkeypatch.setattr(checkpoint_module, moment, while_saved)
        Run.read(run.folder).fill(torch.nn.ModuleDict({"a": network}), "ema")
    assert step == 6 and network.weight.item() in (3, 6)
    assert caplog.text == ""


def test_a_damaged_best_gives_way(tmp_path, caplog):
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})
        run.save_if_best(0.1, STATE, {"step": 1})
        (run.checkpoints / "best/ema.safetensors").unlink()
        assert run.best_or_latest().folder.name == "step-00000001"
        run.save_if_best(0.7, STATE, {"step": 2})
        best = run.best()
    assert best is not None and best.facts == {"step": 2, "best": 0.7}
    assert "best/ema.safetensors is missing" in caplog.text


def test_a_damaged_best_is_reported_once(tmp_path, caplog):
    with Run.open(tmp_path / "run", {}) as run:
        run.save_if_best(0.1, STATE, {"step": 1})
        (run.checkpoints / "best/ema.safetensors").unlink()
        assert run.least_distance() == math.inf
        run.save_if_best(0.7, STATE, {"step": 2})
    assert caplog.text.count("is damaged and is replaced") == 1


def test_a_disk_that_is_full_before_the_first_step_leaves_no_folder(tmp_path):
    with pytest.raises(Resumable), Run.open(tmp_path / "run", {"a": 1}):
        raise Resumable("needs 4 MB and its disk has 3 MB free")
    with pytest.raises(Stopped), Run.open(tmp_path / "stopped", {}):
        raise Stopped("stopped after step 0")
    assert [path.name for path in tmp_path.iterdir()] == ["stopped"]


def test_a_run_that_is_renamed_meanwhile_is_not_torn_apart(tmp_path):
    facts = {"step": 2}
    with Run.open(tmp_path / "run", {}) as run:
        run.save(1, STATE, {"step": 1})
        (tmp_path / "run").rename(tmp_path / "new")
        for write in (
            lambda: run.log(2, {"loss": 0.5}),
            lambda: run.save(2, STATE, facts),
            lambda: run.save_if_best(0.5, STATE, facts),
        ):
            with pytest.raises(Resumable, match="run is no longer there: give it its old name"):
                write()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert Run.read(tmp_path / "new").newest_step == 1


def test_a_run_that_was_removed_leaves_the_one_in_its_place_alone(tmp_path):
    """Also where it fails before its first checkpoint, and would remove its own folder."""
    (tmp_path / "other").symlink_to(tmp_path / "run")
    with pytest.raises(UserError, match="works in"), Run.open(tmp_path / "run", {}) as run:
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "run").mkdir()
        with Run.open(tmp_path / "other", {}) as other:
            other.log(1, {"loss": 0.5})
            for write in (
                lambda: run.log(2, {"loss": 0.25}),
                lambda: run.save_if_best(0.5, STATE, {"step": 2}),
                lambda: run.save(2, STATE, {"step": 2}),
            ):
                with pytest.raises(UserError, match=r"process \d+ on .* works in .*run: wait"):
                    write()
            run.log(2, {"loss": 0.25})
    assert other.metrics() == [{"step": 1, "loss": 0.5}]


def test_checkpoints_are_ordered_by_number(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        for step in (99_999_999, 100_000_000):
            run.save(step, STATE, {"step": step})
        shutil.copytree(run.checkpoints / "step-99999999", run.checkpoints / "step-99999999.mine")
        stored = run.latest()
    assert stored is not None and stored.facts["step"] == 100_000_000


def test_a_log_is_json_for_every_reader(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        run.log(1, {"loss": float("nan"), "rate": 0.25, "norm": float("inf")})
    line = (tmp_path / "run/metrics.jsonl").read_text()
    assert line == '{"step": 1, "loss": null, "rate": 0.25, "norm": null}\n'


def test_lines_of_a_log_that_are_none_are_left_out(tmp_path):
    lines = [
        "[1]",
        "null",
        '{"step": "5"}',
        '{"a": 1}',
        '{"step": 1, "a": ' + "[" * 100_000,
        '{"ste',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(['{"step": 3, "a": 0.5}', *lines]))
    run = Run(tmp_path, {})
    assert run.metrics() == [{"step": 3, "a": 0.5}]
    (tmp_path / "metrics.jsonl").unlink()
    (tmp_path / "metrics.jsonl").mkdir()
    assert run.metrics() == []


def test_a_log_on_a_full_disk_is_resumable(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        (run.folder / "metrics.jsonl").symlink_to("/dev/full")
        with pytest.raises(Resumable, match="No space left"):
            run.log(1, {"loss": 0.5})


@pytest.mark.parametrize(("there", "places"), [(0, 5), (1, 4), (4, 2)])
def test_space_is_asked_for_before_the_start(tmp_path, monkeypatch, there, places):
    """Two newest and the best, and one of each while it takes another's place."""
    with Run.open(tmp_path / "run", {}) as run:
        for step in range(there):
            run.save(step, STATE, {"step": step})
            if there > 1:
                run.save_if_best(float(step), STATE, {"step": step})
        usage = shutil.disk_usage(tmp_path)
        free = usage._replace(free=places * 1_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
        run.require_space(1_000_000)
        with pytest.raises(Resumable, match=r"needs .* MB and its disk has . MB"):
            run.require_space(1_000_001)


def test_the_configuration_names_the_versions_that_trained_it(tmp_path, monkeypatch, caplog):
    with Run.open(tmp_path / "run", {"a": 1}) as run:
        first = (run.folder / "config.yaml").read_text().splitlines()[1]
    assert f"torch {torch.__version__.partition('+')[0]}" in first and "threads 1" in first
    assert f"python {platform.python_version()}, " in first and f"numpy {np.__version__}" in first
    with Run.open(tmp_path / "run", {"a": 1}):
        assert caplog.text == ""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with Run.open(tmp_path / "run", {"a": 1}):
        assert "threads 7: no longer equal to the bit" in caplog.text
    assert Run.read(tmp_path / "run").config == {"a": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# made by python 3.11.7\nform: {bars: 2}\n", "has no line `# pianoreel run, format 2`"),
        ("a: 1\n# pianoreel run, format 2\n", "at its top: put it back if you have changed"),
        ("# pianoreel run, format 1\na: 1\n", "was written by another version"),
        ("# pianoreel run, format 20\na: 1\n", "was written by another version"),
        ("", "at its top: put it back if you have changed"),
    ],
)
def test_a_run_of_another_version_is_refused_with_the_cure(tmp_path, content, said):
    (tmp_path / "config.yaml").write_text(content)
    sentence = f"{tmp_path}.* {said}.*: train it anew, into another folder"
    with pytest.raises(UserError, match=sentence):
        Run.read(tmp_path)
    with pytest.raises(UserError, match=sentence):
        Run.open(tmp_path, {"a": 1})
    assert (tmp_path / "config.yaml").read_text() == content


@pytest.mark.parametrize("above", ["\ufeff", "# my best run\n"])
def test_notes_and_marks_of_an_editor_above_the_settings_are_no_other_version(
    tmp_path, monkeypatch, caplog, above
):
    Run.open(tmp_path, {"a": 1}).__exit__(None, None, None)
    path = tmp_path / "config.yaml"
    path.write_text(above + path.read_text(), encoding="utf-8")
    assert Run.read(tmp_path).config == {"a": 1}
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with Run.open(tmp_path, {"a": 1}):
        assert "threads 7: no longer equal to the bit" in caplog.text


def test_a_place_that_cannot_be_worked_in_is_named(tmp_path):
    (tmp_path / "file").touch()
    file, below, none = tmp_path / "file", tmp_path / "file/below", Path("/proc/none")
    for folder, said in ((file, "give a folder"), (below, "is a file"), (none, "No such file")):
        with pytest.raises(UserError, match=rf"cannot write to {folder}: .*{said}"):
            Run.open(folder, {})
    (tmp_path / "run/config.yaml").mkdir(parents=True)
    with pytest.raises(UserError, match=rf"cannot work in {tmp_path}/run: .*/run/config\.yaml"):
        Run.open(tmp_path / "run", {})


def test_a_run_whose_files_are_of_another_user_says_what_helps(tmp_path, monkeypatch):
    def closed(path, text):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(run_module, "write_text", closed)
    with pytest.raises(UserError, match=r"cannot work in .*/config\.yaml: have its owner"):
        Run.open(tmp_path, {})


def test_a_disk_that_is_full_at_the_start_asks_for_room(tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_module, "write_text", full)
    with pytest.raises(Resumable, match=f"cannot write {tmp_path}: No space.*; make room: "):
        Run.open(tmp_path, {})


@pytest.mark.parametrize("line", ["[1]", "{}", '{"step": 1, "changed": 3}', '{"step": "a"}'])
def test_a_line_of_the_history_that_no_training_wrote_is_named(tmp_path, line):
    with Run.open(tmp_path, {"a": 1}) as run:
        (tmp_path / "history.jsonl").write_text(f'{{"step": 0, "setback": 1}}\n{line}\n')
        with pytest.raises(UserError, match=r"history\.jsonl, line 2, is no change of a training"):
            run.history()


def test_a_file_in_the_place_of_a_checkpoint_is_none(tmp_path):
    with Run.open(tmp_path, {}) as run:
        run.save(1, STATE, {"step": 1})
        (run.checkpoints / "step-00000002").touch()
        stored = run.latest()
        run.forget_after(1)
    assert stored is not None and stored.facts["step"] == 1


def test_a_refused_run_is_left_as_it_was(tmp_path):
    with Run.open(tmp_path, {"a": 1}):
        pass
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(ConfigError):
        Run.open(tmp_path, {"a": 2})
    assert (tmp_path / "config.yaml").read_text() == before
    assert (tmp_path / LOCK).read_text() == ""
    with Run.open(tmp_path, {"a": 1}):
        pass


def distance(ema, step):
    return {"distance": 1 / (1 + step % 3)}


def ring_run(
    folder: Path,
    batches=lambda number: ring.batch(number, 16),
    monitor=UNMONITORED,
    observe=distance,
) -> None:
    """Five steps of a WGAN-GP with its critics, saved and observed at each."""
    config = TrainConfig(steps=5, ema_decay=0.9, seed=3, log_every_steps=1, sample_every_steps=1)
    parts = recipe("wgan_gp")
    torch.manual_seed(config.seed)
    state = TrainState(ring.networks(parts), parts, config.learner, config.critic, 0.9)
    with Run.open(folder, {"recipe": "wgan_gp"}) as run:
        train(run, state, batches, config, observe, monitor)


def interruptible_run(folder: Path, batches) -> None:
    """The ring's run as the command line trains it, in the foreground."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    with Interruption() as entered:
        ring_run(folder, batches, Monitor(entered.should_stop))


def written(folder: Path) -> dict[str, bytes]:
    """All weights, averages and optimizers, and the log without its times."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    untimed = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return files | {"log": json.dumps(untimed).encode()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the ring's run when nothing stops it."""
    folder = tmp_path_factory.mktemp("unbroken")
    assert in_a_child(lambda: ring_run(folder)) == 0
    return written(folder)


@pytest.mark.parametrize("touches", [30, 47])
def test_a_run_killed_repeatedly_ends_as_an_unbroken_one(tmp_path, unbroken, touches):
    """SIGKILL at a touch of the disk, each life a little longer than the one before."""
    parts = tmp_path / "parts"

    def life(touch: int) -> None:
        kill_at(touch, parts)
        ring_run(parts)

    codes = []
    while not codes or codes[-1] == -signal.SIGKILL:
        codes.append(in_a_child(lambda: life(touches + 7 * len(codes))))
    assert codes[-1] == 0
    assert len(codes) > 2
    assert written(parts) == unbroken


@pytest.mark.parametrize(
    "window", ["before log", "before save", "before observe", "before save_if_best", "after log"]
)
def test_a_run_killed_while_it_records_ends_as_an_unbroken_one(
    tmp_path, monkeypatch, unbroken, window
):
    """SIGKILL in each window of the third step, of which `log` is the first thing and the last."""
    parts, seen = tmp_path / "parts", []
    when, place = window.split()

    def killing(original):
        def call(*arguments):
            if seen[-1] == 3 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*arguments)
            if seen[-1] == 3 and "distance" in arguments[-1]:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    if place != "observe":
        monkeypatch.setattr(Run, place, killing(getattr(Run, place)))
    observe = killing(distance) if place == "observe" else distance
    monitor = Monitor(on_step=lambda budget, losses: seen.append(budget.step))
    killed = in_a_child(lambda: ring_run(parts, monitor=monitor, observe=observe))
    assert killed == -signal.SIGKILL
    monkeypatch.undo()
    assert in_a_child(lambda: ring_run(parts)) == 0
    assert written(parts) == unbroken


TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


@pytest.mark.parametrize(
    ("signals", "seconds", "draw", "code", "step"),
    [
        ([HUP], 0.0, 13, 129, 3),  # in the third step, of six draws each
        ([TERM], 0.0, 0, 143, 1),  # in the first step
        ([TERM, HUP], 0.9, 13, 143, 3),  # two that come together are one stop
        ([TERM, INT], 1.0, 13, 130, 2),  # one that comes a second later stops at once
        ([TERM, INT], 1.0, 0, 130, None),
    ],
)
def test_a_signal_in_a_step_saves_that_step_and_a_second_one_does_not(
    tmp_path, monkeypatch, unbroken, signals, seconds, draw, code, step
):
    parts, now = tmp_path / "parts", [0.0]
    monkeypatch.setattr(interruption, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def batches(number: int) -> Batch:
        for one in signals if number == draw else []:
            os.kill(os.getpid(), one)
            now[0] += seconds
        return ring.batch(number, 16)

    assert in_a_child(lambda: interruptible_run(parts, batches)) == code
    latest = Run.read(parts).latest()
    assert (latest and latest.facts["step"]) == step
    assert in_a_child(lambda: ring_run(parts)) == 0
    assert written(parts) == unbroken


def test_a_folder_of_runs_is_no_run_and_names_one(tmp_path: Path):
    with pytest.raises(UserError, match=f"{tmp_path} is no run: give a folder that `train` wrote"):
        Run.read(tmp_path)
    for name in ("mine", "first"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    with pytest.raises(UserError, match=f"is no run: give one in it, such as {tmp_path}/first$"):
        Run.read(tmp_path)
