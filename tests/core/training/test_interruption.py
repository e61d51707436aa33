"""Stops of a training: by the caller, by signals on the command line, by failures.

Also what library calls leave to the caller: signal handlers, random state, stderr.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import Resumable, Stopped
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.theory.passes import Batch
from core.training import interruption
from core.training.checkpoint import resumable
from core.training.interruption import Interruption
from core.training.loop import UNMONITORED, Monitor, TrainConfig, train
from core.training.run import Run
from core.training.step import TrainState

CONFIG = TrainConfig(
    steps=6, batch_size=8, ema_decay=0.9, log_every_steps=2, sample_every_steps=2, seed=4
)


def draw(number: int) -> Batch:
    return ring.batch(number, 8)


def measure(ema: Any, step: int) -> dict[str, float]:
    """A distance of weights and step, which is smallest at step 4."""
    return {"distance": abs(step - 4) + float(next(ema["decoder"].parameters()).sum()) * 1e-6}


def ring_run(
    folder: Path,
    batches: Callable[[int], Batch] = draw,
    observe: Callable[..., dict[str, float]] = measure,
    monitor: Monitor = UNMONITORED,
) -> None:
    parts = recipe("gan")
    torch.manual_seed(CONFIG.seed)
    state = TrainState(ring.networks(parts), parts, CONFIG.learner, CONFIG.critic, 0.9)
    with Run.open(folder, {"recipe": "gan"}) as run:
        train(run, state, batches, CONFIG, observe, monitor)


def contents(folder: Path) -> dict[str, bytes]:
    """The tensors of the best and of the last step, and the log without its times."""
    kept = [folder / "checkpoints" / name for name in ("best", "step-00000006")]
    files = {str(p.relative_to(folder)): p.read_bytes() for k in kept for p in k.glob("*.safe*")}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return files | {"log": "\n".join(line.partition(', "seconds"')[0] for line in lines).encode()}


def saved_step(folder: Path) -> float:
    latest = Run.read(folder).latest()
    assert latest is not None
    return latest.facts["step"]


def best_step(folder: Path) -> float:
    best = Run.read(folder).best()
    assert best is not None
    return best.facts["step"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    ring_run(folder)
    return contents(folder)


class Stop:
    """Asks for a stop from the moment that it is called."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> None:
        self.asked = True

    @property
    def monitor(self) -> Monitor:
        return Monitor(lambda: self.asked)


def test_a_stop_within_a_step_saves_that_step(tmp_path: Path, uninterrupted: Any):
    stop = Stop()

    def batches(number: int) -> Batch:
        if number == 5:  # two draws a step: in the third, which no schedule saves
            stop()
        return draw(number)

    with pytest.raises(Stopped, match=rf"after step 3; the same command resumes in {tmp_path}"):
        ring_run(tmp_path, batches, monitor=stop.monitor)
    assert saved_step(tmp_path) == 3
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted


def test_a_stop_at_the_end_of_a_step_saves_that_step(tmp_path: Path, uninterrupted: Any):
    stop = Stop()
    monitor = Monitor(lambda: stop.asked, lambda budget, losses: budget.step == 5 and stop())
    with pytest.raises(Stopped, match="after step 5"):
        ring_run(tmp_path, monitor=monitor)
    assert saved_step(tmp_path) == 5
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["log", "save", "save_if_best"])
def test_a_stop_while_a_run_records_saves_the_last_finished_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uninterrupted: Any,
    method: str,
    when: str,
):
    stop, original = Stop(), getattr(Run, method)
    finished: list[int] = []

    def interrupted(*arguments: Any) -> None:
        if when == "after":
            original(*arguments)
        if finished[-1] == 4:
            stop()
        if when == "before":
            original(*arguments)

    monitor = Monitor(lambda: stop.asked, lambda budget, losses: finished.append(budget.step))
    with monkeypatch.context() as patch, pytest.raises(Stopped, match="after step 4"):
        patch.setattr(Run, method, interrupted)
        ring_run(tmp_path, monitor=monitor)
    assert saved_step(tmp_path) == 4
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted
    assert best_step(tmp_path) == 4


def test_a_stop_while_samples_are_measured_keeps_their_best(tmp_path: Path, uninterrupted: Any):
    stop = Stop()

    def observe(ema: Any, step: int) -> dict[str, float]:
        if step == 4:
            stop()
        return measure(ema, step)

    with pytest.raises(Stopped, match="after step 4"):
        ring_run(tmp_path, observe=observe, monitor=stop.monitor)
    assert (saved_step(tmp_path), best_step(tmp_path)) == (4, 4)
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted


def test_a_stop_before_the_first_step_saves_nothing(tmp_path: Path, uninterrupted: Any):
    with pytest.raises(Stopped, match="after step 0"):
        ring_run(tmp_path, monitor=Monitor(lambda: True))
    assert Run.read(tmp_path).latest() is None
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (ZeroDivisionError("a picture"), ZeroDivisionError),
        (OSError(28, "No space left on device"), Resumable),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_failure_while_observing_costs_no_checkpoint(
    tmp_path: Path, uninterrupted: Any, fault: BaseException, raised: type[BaseException]
):
    def observe(ema: Any, step: int) -> dict[str, float]:
        if step == 4:
            raise fault
        return measure(ema, step)

    with pytest.raises(raised):
        ring_run(tmp_path, observe=observe)
    assert (saved_step(tmp_path), best_step(tmp_path)) == (4, 2)  # step 4 is not measured yet
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted
    assert best_step(tmp_path) == 4


def test_a_failure_of_whoever_follows_or_of_the_log_costs_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Any
):
    """Step 3 is saved by no schedule; its follower fails, and that of step 4's line in the log."""

    def follow(budget: Any, losses: Any) -> None:
        if budget.step == 3:
            raise BrokenPipeError("nobody reads any more")

    with pytest.raises(BrokenPipeError):
        ring_run(tmp_path, monitor=Monitor(on_step=follow))
    assert saved_step(tmp_path) == 3
    with monkeypatch.context() as patch, pytest.raises(Resumable, match="No space left"):
        patch.setattr(Run, "log", full_disk)
        ring_run(tmp_path)
    assert saved_step(tmp_path) == 4
    (tmp_path / "checkpoints" / "step-00000004").rename(tmp_path / "lost")  # its line is missing
    ring_run(tmp_path)
    assert contents(tmp_path) == uninterrupted


def full_disk(*arguments: Any) -> None:
    with resumable("write the log"):
        raise OSError(28, "No space left on device")


def test_a_step_is_observed_once(tmp_path: Path):
    observed: list[int] = []

    def observe(ema: Any, step: int) -> dict[str, float]:
        observed.append(step)
        return {"distance": 1.0}

    for _ in range(2):
        ring_run(tmp_path, observe=observe)
    assert observed == [2, 4, 6]


def test_training_in_a_thread_leaves_signals_and_random_numbers_to_the_caller(tmp_path: Path):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    networks = ring.networks(recipe("gan"))
    state = TrainState(networks, recipe("gan"), CONFIG.learner, CONFIG.critic, 0.9)
    results: list[Any] = []

    def work() -> None:
        try:
            with Run.open(tmp_path, {}) as run:
                results.append(train(run, state, draw, CONFIG, measure).step)
        except BaseException as error:
            results.append(error)

    torch.manual_seed(31)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    after = torch.rand(3)
    torch.manual_seed(31)
    assert results == [6]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert torch.equal(after, torch.rand(3))


def test_a_monitor_sees_every_step_and_its_losses(tmp_path: Path):
    seen: list[tuple[int, float, bool]] = []
    monitor = Monitor(
        on_step=lambda budget, losses: seen.append(
            (budget.step, budget.fraction, losses["skipped"] == 0)
        )
    )
    ring_run(tmp_path, monitor=monitor)
    assert seen == [(step, step / 6, True) for step in (1, 2, 3, 4, 5, 6)]


def test_library_code_neither_prints_nor_shows_a_bar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    ring_run(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def foreground() -> Iterator[None]:
    """A process to which Ctrl-C comes: a shell's & has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.usefixtures("foreground")
@pytest.mark.parametrize(("number", "code"), CODES)
def test_the_first_signal_asks_for_a_stop_and_one_a_second_later_exits(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """By this clock signals come at 7 s, at 7.9 s, which is the same stop still, and at 8 s."""
    now = [7.0]
    monkeypatch.setattr(interruption.time, "monotonic", lambda: now[0])
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left, Interruption() as entered:
        assert not entered.should_stop()
        signal.raise_signal(number)
        assert entered.should_stop()
        now[0] = 7.9
        signal.raise_signal(number)
        now[0] = 8.0
        with pytest.raises(SystemExit) as at_once:
            signal.raise_signal(signal.SIGTERM)
        assert at_once.value.code == 143
        raise Stopped("stopped after step 3; the same command resumes in runs/a")
    assert left.value.code == code
    assert capfd.readouterr().err.endswith("the same command resumes in runs/a\n")
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_ignored():
    """nohup has SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as entered:
            signal.raise_signal(signal.SIGHUP)
            assert not entered.should_stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stop_is_a_stop_where_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch):
    """The terminal is closed: writing to it fails."""

    def closed(handle: int, text: bytes) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(interruption.os, "write", closed)
    with pytest.raises(SystemExit) as left, Interruption():
        signal.raise_signal(signal.SIGHUP)
        raise Stopped("stopped after step 3")
    assert left.value.code == 129


@pytest.mark.usefixtures("foreground")
def test_an_error_after_a_signal_is_not_hidden():
    with pytest.raises(ZeroDivisionError), Interruption():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError


@pytest.mark.usefixtures("foreground")
def test_an_error_that_is_said_is_the_end_of_whoever_was_stopped(
    capfd: pytest.CaptureFixture[str],
):
    """A model can fail after Ctrl-C: `compare` would begin with the next one."""
    with pytest.raises(SystemExit) as left, Interruption():
        signal.raise_signal(signal.SIGINT)
        raise Resumable("3 consecutive steps gave losses that are not finite")
    assert left.value.code == 130
    assert capfd.readouterr().err.endswith(
        "\n3 consecutive steps gave losses that are not finite\n"
    )


def test_a_signal_in_the_last_step_exits_as_well():
    with pytest.raises(SystemExit) as left, Interruption():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143
