"""A run of clips that torchrun starts, as its user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import REPOSITORY

from core.training.run import Run

pytestmark = pytest.mark.slow


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc_per_node", "2", "-m", "cli", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, timeout=300)


def test_two_processes_of_torchrun_train_one_run(tmp_path: Path):
    """It is announced once; sampled and measured by the first."""
    to = tmp_path / "run"
    options = ("--preset", "tiny", "--steps", "2", "--device", "cpu", "--to", to)
    done = torchrun("video", "train", "--shapes", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained:") == 1
    latest = Run.read(to).latest()
    assert latest is not None and latest.facts["step"] == 2
    assert (to / "samples" / "step-00000002.png").is_file()


def test_what_is_wrong_is_said_once(tmp_path: Path):
    done = torchrun("video", "train", "--shapes", "--model", "vaae", "--to", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.count("no model is called 'vaae'") == 1


def test_other_commands_are_not_for_torchrun():
    done = torchrun("video", "sample")
    assert done.stderr.count("torchrun is for train alone: start sample without it") == 1
