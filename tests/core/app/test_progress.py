"""Progress without a terminal: plain lines, and how often."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from command import run
from rich.progress import Progress

from core.app import progress
from core.app.progress import PlainLines, counting, followed, monitored, ticking
from core.errors import Stopped
from core.training.loop import Budget, TrainConfig


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of the clock, to be set."""
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "FIRST_SECONDS", 10.0)
    return clock


def test_a_line_is_printed_after_ten_seconds_and_then_each_minute(now, capsys):
    lines = PlainLines()
    for seconds in (100, 109, 110, 111, 169, 171, 172, 240):
        now[0] = float(seconds)
        lines.show(lambda seconds=seconds: f"at {seconds}")
    assert capsys.readouterr().err.splitlines() == ["at 110", "at 171", "at 240"]


def test_a_training_prints_its_state_and_goes_on_until_a_signal(now, capsys):
    with monitored() as monitor:
        for step in (1, 2, 3):
            now[0] += 8.0
            monitor.on_step(Budget(TrainConfig(steps=12), step, 8.0 * step), {"match_x": 0.5})
        assert not monitor.should_stop()
    assert capsys.readouterr().err.splitlines() == [
        "step 2 of about 12, 8 seconds a step, match_x 0.5, 17% of the budget, "
        "about 80 seconds left"
    ]


def test_what_follows_the_last_step_is_shown_as_well(now, capsys):
    with monitored() as monitor:
        monitor.on_rest(1, 2048)
        now[0] += 12.0
        monitor.on_rest(1024, 2048)
    assert capsys.readouterr().err.splitlines() == ["after the last step: 1,024 of 2,048"]


def test_a_stop_after_the_last_step_finishes_none(capfd):
    said = []
    for call in (lambda monitor: None, lambda monitor: monitor.on_rest(1, 2048)):
        with pytest.raises(SystemExit), monitored() as monitor:
            call(monitor)
            signal.raise_signal(signal.SIGTERM)
        said.append(capfd.readouterr().err.split("; ")[0])
    assert said == ["\nfinishing this step and saving", "\nstopping: all steps are saved"]


def test_a_terminal_that_is_closed_ends_a_training_as_a_stop_does(now, monkeypatch):
    """SIGHUP comes, and whatever is written from then on fails."""

    def closed(*arguments: object, **options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Progress, "stop", closed)
    with pytest.raises(SystemExit) as left, monitored() as monitor:
        signal.raise_signal(signal.SIGHUP)
        monkeypatch.setattr("builtins.print", closed)
        now[0] += 12.0
        monitor.on_step(Budget(TrainConfig(steps=12), 3, 8.0), {"match_x": 0.5})
        assert monitor.should_stop()
        raise Stopped("stopped after step 3")
    assert left.value.code == 129


def test_a_task_prints_how_much_of_it_is_done(now, capsys):
    with ticking("reading") as tick:
        tick(1, 4000)
        now[0] += 12.0
        tick(1234, 4000)
        tick(1235, 4000)
    assert capsys.readouterr().err.splitlines() == [
        "reading: 1,234 of 4,000, about 27 seconds left"
    ]


def test_the_time_left_follows_from_what_this_command_has_done(now, capsys):
    """Nothing is known of it before; a command that resumes begins at 600."""
    with ticking("reading") as tick:
        now[0] += 30.0
        for done in (600, 610, 640):
            tick(done, 1000)
            now[0] += 70.0
    assert capsys.readouterr().err.splitlines() == [
        "reading: 600 of 1,000",
        "reading: 610 of 1,000, about 46 minutes left",
        "reading: 640 of 1,000, about 21 minutes left",
    ]


def test_what_is_counted_is_said_of_each_of_several_tasks(now, capsys):
    with counting("measuring") as tasks:
        steps, models = tasks("steps of a training"), tasks("models measured")
        for tick, totals in (steps, 3000), (models, 2):
            tick(1, totals)
            now[0] += 12.0
            tick(2, totals)
    assert capsys.readouterr().err.splitlines() == [
        "steps of a training: 2 of 3,000, about 10 hours left",
        "models measured: 1 of 2",
    ]


def test_a_bar_shows_the_task_that_is_called_for(monkeypatch: pytest.MonkeyPatch):
    bars: list[Progress] = []
    start = Progress.start
    monkeypatch.setattr(Progress, "start", lambda self: (bars.append(self), start(self))[1])
    with counting("measuring") as tasks:
        first, second = tasks("steps of a training"), tasks("models measured")
        seen = [(bars[0].tasks[0].description, bars[0].tasks[0].completed)]
        for tick, done in (first, 7), (second, 1):
            tick(done, 9)
            (task,) = bars[0].tasks
            seen.append((task.description, task.completed))
    assert seen == [("measuring", 0), ("steps of a training", 7), ("models measured", 1)]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Note how a progress bar was last set, and whether it stands on standard error."""
    facts: dict[str, object] = {}

    def update(self: Progress, task: object, **changes: object) -> None:
        facts.update(changes, stderr=self.console.stderr)

    monkeypatch.setattr(Progress, "update", update)
    return facts


def test_a_bar_shows_the_share_of_the_budget_the_step_and_the_losses(shown):
    losses = {"match_x": 0.25, "skipped": 0.0, "gradient_decoder": 3.0}
    with monitored() as monitor:
        monitor.on_step(Budget(TrainConfig(steps=16), step=12, seconds=6.0), losses)
    said = "step 12 of about 16, 2 steps a second, match_x 0.25"
    assert shown == {"completed": 0.75, "description": said, "stderr": True}


def test_a_bar_shows_what_is_done_of_how_much(shown):
    with ticking("files") as tick:
        tick(3, 8)
    assert shown == {"completed": 3, "total": 8, "stderr": True}


def test_a_bar_is_away_while_files_are_printed(monkeypatch: pytest.MonkeyPatch):
    """So that paths go to standard output, in lines of their own."""
    seen: list[str] = []
    for name in ("start", "stop"):
        monkeypatch.setattr(Progress, name, lambda self, name=name: seen.append(name))

    def make(tick: Any) -> Iterator[str]:
        for number in (1, 2):
            tick(number, 2)
            yield f"song {number}"

    for one in followed("composing", make):
        seen.append(one)
    assert seen == ["start", "stop", "song 1", "start", "stop", "song 2", "start", "stop"]


def test_a_comparison_shows_one_bar_at_a_time(tmp_path, monkeypatch):
    """A bar of a training, and one of the measurement, are not open at once."""
    bar, opened, most = progress._bar, [], []

    @contextlib.contextmanager
    def counted(*columns: Any, **options: Any) -> Iterator[Progress]:
        with bar(*columns, **options) as one:
            opened.append(one)
            most.append(len(opened))
            yield one
            opened.pop()

    monkeypatch.setattr(progress, "_bar", counted)
    few = ("--preset", "tiny", "--steps", 1, "--count", 8, "--to", tmp_path)
    code, _, said = run("ring", "compare", "--model", "gan", *few)
    assert (code, most) == (0, [1, 1]), said
