"""The facts that `pianoreel doctor` prints."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pydantic
import pytest
import torch
from packaging.requirements import Requirement
from pydantic import Field

from core.app import doctor
from core.data.limits import Limits

REPOSITORY = Path(__file__).parents[3]


OTHER_TORCHAUDIO = """
raise OSError("Could not load this library: libtorchaudio.so")
"""
COMMANDS = (("doctor",), ("music", "sample", "--count", "1", "--bars", "1"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_torchaudio_that_does_not_load_is_one_sentence_with_its_cure(
    tmp_path: Path, command: tuple[str, ...]
):
    (tmp_path / "torchaudio.py").write_text(OTHER_TORCHAUDIO)
    said = subprocess.run(
        [sys.executable, "-c", "import cli; cli.main()", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1
    assert len(said.stderr.splitlines()) == 1, said.stderr
    assert "error: torchaudio" in said.stderr
    assert "libtorchaudio.so): run pip install" in said.stderr


@pytest.mark.parametrize("absent", ["torch", "torchaudio"])
def test_what_is_absent_is_the_only_fault_reported(monkeypatch: pytest.MonkeyPatch, absent: str):
    found = {"torch": "2.11.0", "torchaudio": "2.11.0", absent: "absent"}
    monkeypatch.setattr(doctor, "version", found.get)
    assert list(doctor.faults()) == [f"{absent} is absent: {doctor.INSTALL_PAIR}"]


def test_the_cure_installs_what_the_package_asks_for():
    """The library of torchaudio 2.11.1 does not load beside torch 2.11."""
    asked = dict(re.findall(r'"(\w+)==([\d.*]+)"', doctor.INSTALL_PAIR))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    needed = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    for name, version in asked.items():
        assert needed[name].contains(version.replace("*", "0")), name
    assert not needed["torchaudio"].contains("2.11.1")


def test_this_machine_is_well_and_has_a_processor():
    assert list(doctor.faults()) == []
    assert "cores" in doctor.devices()["cpu"]


class FrameLimits(Limits):
    """A domain's: one limit replaced, one added."""

    seconds: float = Field(default=7.5, description="seconds of one film")
    frames: int = Field(default=12_345, description="frames of one film")


def test_limits_of_a_domain_are_described_with_value_and_meaning():
    described = doctor.describe(FrameLimits(archive_members=1234))
    assert described["frames"] == "12,345  frames of one film"
    assert described["seconds"] == "7.5  seconds of one film"
    assert described["archive_members"] == "1,234  files in one archive"
    assert set(described) == {*Limits.model_fields, "frames"}


def test_versions_of_core_and_of_a_domain():
    found = doctor.versions(["pydantic", "no-such-library"])
    assert found["pydantic"] == pydantic.VERSION
    assert torch.__version__.startswith(found["torch"])
    assert found["no-such-library"] == "absent"
    assert list(found)[:2] == ["python", "torch"]
