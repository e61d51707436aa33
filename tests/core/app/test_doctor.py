"""The facts that `pianoreel doctor` prints."""

import pydantic
import pytest
import torch
from pydantic import Field

from core.app import doctor
from core.data.limits import Limits


@pytest.mark.parametrize(
    ("torch", "torchaudio"),
    [("2.11.0", "2.11.0"), ("2.11.0+cu130", "2.11.1"), ("2.11.3", "2.11.0+cpu")],
)
def test_the_same_minor_version_fits(torch: str, torchaudio: str):
    assert doctor.misfit(torch, torchaudio) == ""


@pytest.mark.parametrize(
    ("torch", "torchaudio", "command"),
    [
        ("2.13.0+cpu", "2.11.0", 'pip install "torchaudio==2.13.*"'),
        ("2.1.0", "2.11.0", 'pip install "torchaudio==2.1.*"'),
        ("2.11.0", "absent", 'pip install "torch==2.11.*" "torchaudio==2.11.*"'),
    ],
)
def test_another_minor_version_gets_the_command_that_mends_it(
    torch: str, torchaudio: str, command: str
):
    assert command in doctor.misfit(torch, torchaudio)


def test_a_misfit_is_the_only_fault_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "version", {"torch": "2.13.0", "torchaudio": "2.11.0"}.get)
    assert list(doctor.faults()) == [doctor.misfit("2.13.0", "2.11.0")]


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
