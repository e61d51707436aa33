"""What `pianoreel doctor` says of a machine."""

import pytest

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


def test_a_misfit_is_the_only_fault_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_version", {"torch": "2.13.0", "torchaudio": "2.11.0"}.get)
    assert list(doctor.faults()) == [doctor.misfit("2.13.0", "2.11.0")]


def test_this_machine_is_well_and_has_a_processor():
    assert list(doctor.faults()) == []
    assert "cores" in doctor.devices()["cpu"]
    assert doctor.versions()["torch"].startswith("2.11")


def test_every_limit_is_told_with_its_value_and_meaning():
    told = doctor.limits()
    assert told["notes"] == "200,000  notes of one file"
    assert all(f"{value:,}" in told[name] for name, value in Limits())
