"""The page as it is built, without a browser: rooms, their addresses, and queues."""

import errno
import logging
import math
import os
import signal
import socket
import threading
import time
from pathlib import Path

import gradio as gr
import pytest
import uvicorn

from core.errors import UserError
from core.exchange.curves import MOST_POINTS, points_of
from core.files import locked
from studio.components.curves import curves
from studio.components.messages import answering
from studio.folder import StudioFolder
from studio.following import Drawing
from studio.page import bound, clear, end_quietly, page, serve


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    folder: Path = tmp_path_factory.mktemp("page")
    return page(StudioFolder.of(folder))


def test_a_room_has_its_name_as_its_address(built: gr.Blocks):
    tabs = [block for block in built.blocks.values() if isinstance(block, gr.Tab)]
    assert {tab.label: tab.id for tab in tabs} == {
        "Songs": "songs",
        "Clips": "clips",
        "Your files": "your-files",
        "Train": "train",
        "Runs": "runs",
        "Models": "models",
    }


def test_songs_and_clips_stand_in_one_queue(built: gr.Blocks):
    """Two at once would take twice as long, and memory for two models."""
    deeds = [fn for fn in built.fns.values() if fn.concurrency_id in ("making", "reading")]
    assert {fn.concurrency_limit for fn in deeds} == {1}
    making = {fn.name for fn in deeds if fn.concurrency_id == "making"}
    assert making >= {"make", "make_beside", "fill", "continue_song", "vary", "interpolate"}
    assert {fn.name for fn in deeds if fn.concurrency_id == "reading"} == {"prepare"}


@pytest.mark.parametrize("count", [1, 2, MOST_POINTS, MOST_POINTS + 1, 3 * MOST_POINTS + 5])
def test_a_thinned_curve_keeps_its_first_and_last_points(count: int):
    shown = points_of([{"step": n, "a": n / 2} for n in range(count)], "a")
    assert shown[0] == (0, 0)
    assert shown[-1] == (count - 1, (count - 1) / 2)
    assert len({step for step, _ in shown}) == len(shown) <= MOST_POINTS + 1
    assert len(shown) > MOST_POINTS / 2 or len(shown) == count
    assert all(value == step / 2 for step, value in shown)


@pytest.mark.parametrize("value", [0.0, 0.5, 16_385.0, 1e20, -1e20])
def test_a_curve_that_is_even_is_drawn(value: float):
    """The difference to the next number may be more than any that is added to it."""
    shown = curves({"a": [{"step": step, "loss": value} for step in (1, 2)]})
    assert shown.count("<circle") == 1 and "nan" not in shown


def test_a_measure_without_a_number_has_no_panel():
    rows = [{"step": 1, "loss": None, "odd": math.nan, "kept": 1.0}]
    assert curves({"a": rows, "b": []}).count("<svg") == 1


def test_parts_of_files_that_were_broken_off_go_when_the_studio_opens(tmp_path: Path):
    for name in ("tmpnew", "song.mid"):
        (tmp_path / name).write_bytes(b"half")
    clear(tmp_path)
    clear(tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]


@pytest.mark.parametrize(
    ("host", "sentence"), [("nosuch.invalid", "--host"), ("ü" * 300, "--host"), ("", "--port")]
)
def test_an_address_that_cannot_be_listened_at_names_the_option(host: str, sentence: str):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(UserError, match=f"choose another {sentence}"):
            bound(host, taken.getsockname()[1])


def test_work_has_ended_when_the_studio_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Otherwise the process is aborted in the middle of it, by a signal instead of its code."""

    def endless() -> None:
        while True:
            time.sleep(0.001)

    before = set(threading.enumerate())
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # which the studio sets
    monkeypatch.setattr("studio.page.page", lambda folder: None)
    monkeypatch.setattr("studio.page.application", lambda *_: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    monkeypatch.setattr("studio.page.end_quietly", lambda server: None)
    working, waiting = Drawing(endless).steps(), Drawing(endless).steps()
    try:
        next(working)
        next(waiting)
        serve(StudioFolder.of(tmp_path), "127.0.0.1", 0)
        assert set(threading.enumerate()) <= before
    finally:
        working.close()
        waiting.close()


NOT_TAKEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)


def test_of_two_studios_of_one_folder_the_second_does_not_open(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    with locked(tmp_path), pytest.raises(UserError, match=f"works in {tmp_path}: wait for it or"):
        serve(folder, "127.0.0.1", 0)


def test_of_two_studios_that_open_a_port_at_once_one_gets_it():
    with bound("127.0.0.1", 0) as first, pytest.raises(UserError, match="choose another --port"):
        bound("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("number", NOT_TAKEN)
def test_a_disk_that_takes_nothing_is_no_fault_of_pianoreel(number: int):
    def handler() -> None:
        raise OSError(number, os.strerror(number), "<b>.mid")

    with pytest.raises(gr.Error) as shown:
        answering(handler)()
    said = str(shown.value)
    assert os.strerror(number) in said and "fault" not in said and "&lt;b&gt;.mid" in said


def test_an_array_that_is_cut_short_is_no_fault_of_pianoreel():
    def handler() -> None:
        raise OSError("9 requested and 2 written")

    with pytest.raises(gr.Error, match="cannot write: 9 requested and 2 written; make room"):
        answering(handler)()


def test_too_little_memory_is_no_fault_of_pianoreel():
    def handler() -> None:
        raise MemoryError

    with pytest.raises(gr.Error, match="ask for less at once"):
        answering(handler)()


def test_a_terminal_that_is_closed_ends_the_server_as_others_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "level", logging.WARNING)
    server, before = uvicorn.Server(uvicorn.Config(lambda: None)), signal.getsignal(signal.SIGHUP)
    end_quietly(server)
    try:
        signal.raise_signal(signal.SIGHUP)
        assert server.should_exit
        assert signal.getsignal(signal.SIGHUP) == before  # which the server calls at its end
        assert not logging.getLogger("uvicorn.error").isEnabledFor(logging.ERROR)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        end_quietly(uvicorn.Server(uvicorn.Config(lambda: None)))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
