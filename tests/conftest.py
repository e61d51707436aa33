"""Settings of every test: one thread, no network, and real data only where it lies at hand."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; child processes inherit it
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before a test imports onnxruntime

import gc
import math
import random
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).parent.parent
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")  # a test that is slow on a busy machine has not failed
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def shared(name: str) -> Path:
    """An optional folder in $PIANOREEL_SHARED, or in `shared` beside the repository."""
    folder = Path(os.environ.get("PIANOREEL_SHARED", REPOSITORY.parent / "shared")) / name
    if not folder.is_dir():
        pytest.skip(f"no real files: {folder} is absent (set PIANOREEL_SHARED)")
    return folder


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests and import all code without collecting garbage, of which there is none.

    What lives as long as the session is not looked through later, either.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real songs and clips."""
    return shared("data")


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Files from public reports, each with its right answer beside it."""
    return shared("cases")


@pytest.fixture(autouse=True, scope="session")
def no_plain_lines() -> Iterator[None]:
    """Commands that take long on a busy machine print no lines of progress between others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.app.progress.FIRST_SECONDS", math.inf)
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_disk() -> Iterator[None]:
    """Wait for no disk: no test cuts the power, and what is killed leaves what it has written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> Iterator[None]:
    """Tests and what they start heed signals that a shell or nohup had ignored for them."""
    own = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in own.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random and denormal numbers for a test, whichever ran before it.

    A training rounds denormal numbers to zero, from then on and in the whole process.
    """
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(0)  # torch.manual_seed formats a deep stack thrice
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Fail a test that reaches for the network, even where the code swallows the refusal."""
    attempts: list[object] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            attempts.append(address)
            raise OSError(f"no network in tests: {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield attempts
    assert not attempts, f"tried to connect to {attempts}"


@pytest.fixture
def quick_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate few songs of the band, and score few phrases one by one."""
    monkeypatch.setattr("musegen.measures.evaluation.BAND_SONGS", 5)
    monkeypatch.setattr("musegen.measures.evaluation.SCORED_PHRASES", 24)
    monkeypatch.setattr("musegen.measures.hearing.MOST_EXCERPTS", 40)
