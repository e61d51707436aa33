"""Files that are whole or absent, digests, room on the disk, and who holds a folder."""

import errno
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from threading import Thread

import pytest
from matplotlib.figure import Figure

from core import files
from core.errors import ConfigError, Resumable, UserError
from core.files import (
    aside,
    cache_folder,
    create_folder,
    digest,
    is_full,
    locked,
    read_json,
    read_json_lines,
    require_different,
    require_lock,
    require_space,
    sync,
    taking_turns,
    temporary_folder,
    unwritten,
    worker_in,
    write_figure,
    write_once,
    write_text,
    write_whole,
)

SHORT = """
import resource, signal, sys
import numpy as np
from core.files import is_full
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (np.save, lambda path, x: open(path, "wb").write(x.tobytes())):
    try:
        write(sys.argv[1], np.zeros(1000))
    except OSError as error:
        print(error.errno, is_full(error))
"""
"""Writes an array, by numpy and as bytes, where files may have no more than 1,000 bytes."""

USAGE = namedtuple("USAGE", "total used free")


def test_the_digest_of_abc_is_that_of_the_standard(tmp_path: Path):
    """FIPS 180-2, appendix B.1."""
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "a") == expected


def test_a_text_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "ä first")
    write_text(path, "ä second")
    assert path.read_bytes() == "ä second".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_text_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "first")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "second")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_picture_that_cannot_be_written_to_its_end_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.png"
    write_figure(Figure(), path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    def torn(to: Path, content: bytes) -> None:
        to.write_text(f"{content[:20]}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(Resumable, match="No space"):
        write_figure(Figure(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_picture_may_have_letters_of_any_script(tmp_path: Path, recwarn):
    figure = Figure()
    figure.text(0.5, 0.5, "\U0001f415 犬が走る, $50 \\no $mathematics")
    write_figure(figure, tmp_path / "a.png")
    assert not list(recwarn)


def test_a_text_is_on_the_disk_before_it_has_its_name_and_then_its_name_is(
    tmp_path: Path, monkeypatch
):
    """A rename alone survives a killed process, but not a failure of power."""
    path, synced = tmp_path / "a.txt", []
    monkeypatch.setattr(files, "sync", lambda part: synced.append((part.name, path.exists())))
    write_text(path, "whole")
    (hidden, _), *_ = synced
    assert hidden.startswith(".") and synced == [(hidden, False), (tmp_path.name, True)]


def test_two_that_write_a_file_at_once_both_write_it_whole(tmp_path: Path, monkeypatch):
    """The last one is kept, also of the longest name that a file can have."""
    path = tmp_path / ("a" * 251 + ".txt")
    with aside(path) as first:
        first.write_text("the first")
        monkeypatch.setattr(os, "getpid", lambda: 1)  # one that runs
        with aside(path) as second:
            second.write_text("the second")
        assert path.read_text() == "the second"
    assert path.read_text() == "the first"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_that_write_a_file_at_once_both_write_it_whole(tmp_path: Path):
    path, texts = tmp_path / "a.txt", ("the other", "this one")

    def write_other() -> None:
        with aside(path) as hidden:
            hidden.write_text(texts[0])

    with aside(path) as hidden:
        hidden.write_text(texts[1])
        other = Thread(target=write_other)
        other.start()
        other.join()
        assert path.read_text() == texts[0]
    assert path.read_text() == texts[1]


def test_what_a_killed_process_left_aside_is_removed_by_the_next(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # a number that no process has
    left = []
    for name in ("a.txt", "b.txt"):
        with pytest.raises(KeyError), aside(tmp_path / name) as hidden:
            raise KeyError
        hidden.write_text("half")  # which a kill would have left
        left.append(hidden)
    monkeypatch.undo()
    with aside(tmp_path / "a.txt") as hidden:
        hidden.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.txt", left[1]])


def test_what_another_machine_writes_aside_is_left_alone(tmp_path: Path, monkeypatch):
    """Its processes are not known here, where a number of theirs may be of none."""
    path, here = tmp_path / "a.txt", socket.gethostname()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # a number that no process has here
    with aside(path) as hidden:
        hidden.write_text("elsewhere")
        monkeypatch.undo()
        assert socket.gethostname() == here
        write_text(path, "here")
        assert hidden.exists()
    assert path.read_text() == "elsewhere" and list(tmp_path.iterdir()) == [path]


def test_of_lines_of_json_blank_ones_are_left_out_and_a_wrong_one_is_named(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    assert read_json_lines(path) == []
    path.write_text('\n{"a": "\u2028"}\r\n \n[1]\n\n', encoding="utf-8")
    assert read_json_lines(path) == [{"a": "\u2028"}, [1]]
    for wrong in (b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(b"1\n\n" + wrong + b"\n")
        with pytest.raises(UserError, match=r"a\.jsonl, line 3, is no JSON: correct or remove it"):
            read_json_lines(path)


def test_those_who_take_turns_in_a_folder_wait_for_each_other(tmp_path: Path):
    order: list[str] = []

    def enter() -> None:
        with taking_turns(tmp_path):
            order.append("second")

    with taking_turns(tmp_path):
        other = Thread(target=enter)
        other.start()
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch):
    create_folder(tmp_path / "deep" / "to")
    (tmp_path / "file").touch()
    inner = tmp_path / "file" / "to" / "deep"
    for folder, why in (
        (tmp_path / "file", "it is a file, give a folder"),
        (inner, f"{tmp_path / 'file'} is a file"),
        (Path("/proc/none"), ""),
    ):
        with pytest.raises(UserError, match=f"cannot write to {folder}: {why}"):
            create_folder(folder)
    monkeypatch.setattr(os, "access", lambda folder, mode: not mode & os.W_OK)
    with pytest.raises(UserError, match=f"cannot write to {tmp_path}: choose another folder"):
        create_folder(tmp_path)


def test_a_folder_without_room_or_a_right_to_it_says_the_cure(tmp_path: Path, monkeypatch):
    def refuse(number: int) -> None:
        def mkdir(folder: Path, **options: bool) -> None:
            raise OSError(number, os.strerror(number), str(folder))

        monkeypatch.setattr(Path, "mkdir", mkdir)

    for number in (errno.ENOSPC, errno.EDQUOT):  # also without a free inode
        refuse(number)
        with pytest.raises(Resumable, match=f"cannot write {tmp_path}/a: .*; make room: "):
            create_folder(tmp_path / "a")
    for number in (errno.EACCES, errno.EROFS, errno.ENAMETOOLONG):
        refuse(number)
        with pytest.raises(UserError, match=f"{os.strerror(number)}: choose another folder"):
            create_folder(tmp_path / "a")


def test_a_file_that_is_waited_for_is_closed(tmp_path: Path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    waited: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: waited.append((handle, os.fstat(handle).st_ino))
    )
    sync(tmp_path / "a")
    ((handle, number),) = waited
    assert number == (tmp_path / "a").stat().st_ino
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a.mid"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError("1000 requested and 16 written"), True),
        (OSError("cannot identify image: 1000 requested and 16 written"), False),
        (OSError("cannot identify image"), False),
        (OSError(errno.EIO, "Input/output error"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (ValueError("1000 requested and 16 written"), False),
    ],
    ids=str,
)
def test_what_says_that_there_is_no_room(error: Exception, full: bool, tmp_path: Path):
    assert is_full(error) == full
    if isinstance(error, OSError):
        said = unwritten(tmp_path / "a.mid", error)
        assert isinstance(said, Resumable) == full
        assert (error.strerror or str(error)) in str(said)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    path = tmp_path / "none" / "a.png"
    for write in (lambda: write_whole(path, b""), lambda: write_figure(Figure(), path)):
        with pytest.raises(UserError, match=f"no folder {path.parent}: create it first"):
            write()


def test_numpy_and_the_system_say_that_there_is_no_room(tmp_path: Path):
    found = subprocess.run(
        [sys.executable, "-c", SHORT, str(tmp_path / "a.npy")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout.splitlines() == ["None True", f"{errno.EFBIG} True"]


def test_room_is_needed_in_bytes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: USAGE(9, 9, 3_000_000))
    require_space(tmp_path, 3_000_000)
    with pytest.raises(Resumable, match=r"needs 4 MB and its disk has 3 MB free"):
        require_space(tmp_path, 4_000_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: USAGE(9, 9, 4096))
    with pytest.raises(UserError, match=r"needs 0\.23 MB and its disk has 0\.0041 MB free"):
        require_space(tmp_path, 230_000)


def test_a_folder_is_held_once_and_its_holder_is_named(tmp_path: Path):
    with locked(tmp_path):
        process, host, _ = json.loads((tmp_path / ".lock").read_text())
        assert (process, host) == (os.getpid(), socket.gethostname())
        named = f"process {process} on {host} .* works in"
        with pytest.raises(UserError, match=named), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == ""


def test_a_lock_is_of_the_folder_that_was_locked(tmp_path: Path):
    """Not of one that has been created in its place, where another command works since."""
    folder, other = tmp_path / "run", tmp_path / "other"
    folder.mkdir()
    other.symlink_to(folder)
    require_lock(folder)  # which is not locked here
    with locked(folder):
        require_lock(folder)
        (folder / ".lock").unlink()
        require_lock(folder)
        shutil.rmtree(folder)
        with pytest.raises(Resumable, match="run is no longer there: give it its old name again"):
            require_lock(folder)
        folder.mkdir()
        with locked(other):
            named = f"process {os.getpid()} on .* works in {folder}: wait for it or choose"
            with pytest.raises(UserError, match=named):
                require_lock(folder)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_on_a_disk_without_locks_work_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, number: int
):
    def flock(handle: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with locked(tmp_path):
        assert worker_in(tmp_path) is None
    assert f"the disk of {tmp_path} knows no locks" in caplog.text
    monkeypatch.setattr(files.fcntl, "flock", lambda handle, kind: os.fstat(-1))
    with pytest.raises(OSError, match="Bad file descriptor"), locked(tmp_path):
        pass


def test_on_a_disk_without_hard_links_the_first_text_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def link(source: Path, to: Path, **options: bool) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", link)
    for text in ("first", "second"):
        write_once(tmp_path / "prepare.json", text)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "prepare.json": "first"
    }
    with (
        pytest.raises(FileExistsError, match="File exists"),
        aside(tmp_path / "prepare.json", overwrite=False) as hidden,
    ):
        hidden.write_text("third")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["first"]


def test_who_looks_whether_a_folder_is_locked_keeps_nobody_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It has the lock for a moment, as `worker_in` does."""
    (tmp_path / ".lock").touch()
    looking = (tmp_path / ".lock").open()
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: looking.close())
    with locked(tmp_path):
        assert looking.closed


def test_the_lock_of_a_killed_process_is_taken_over_and_that_is_logged(tmp_path: Path, caplog):
    (tmp_path / ".lock").write_text(json.dumps([12345, "elsewhere", "2020-01-02 03:04:05"]))
    with locked(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())[0] == os.getpid()
    (message,) = caplog.messages
    assert message.startswith("process 12345 on elsewhere (since 2020-01-02 03:04:05) was stopped")
    caplog.clear()
    with locked(tmp_path):
        pass
    assert caplog.messages == []


def test_what_can_be_generated_anew_is_kept_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("PIANOREEL_CACHE", "/a/cache")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/a/cache")
    monkeypatch.delenv("PIANOREEL_CACHE")
    assert cache_folder() == Path("/xdg/pianoreel")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/pianoreel")


def test_a_user_without_a_home_has_a_cache(monkeypatch):
    for name in ("PIANOREEL_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(files.Path, "home", no_home)
    assert cache_folder() == Path(tempfile.gettempdir()) / f"pianoreel-{os.getuid()}"


def no_room(path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_of_a_file_that_is_written_aside_names_the_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(files, "sync", no_room)
    with pytest.raises(OSError, match="No space left on device") as full:
        write_text(tmp_path / "song.mid", "notes")
    assert full.value.filename == str(tmp_path / "song.mid")
    (tmp_path / "source").write_text("notes")
    with pytest.raises(FileNotFoundError) as missing, aside(tmp_path / "no/song.mid") as hidden:
        shutil.copyfile(tmp_path / "source", hidden)
    assert missing.value.filename == str(tmp_path / "no/song.mid")
    with pytest.raises(OSError) as copied, aside(tmp_path / "song.mid") as hidden:
        raise OSError(errno.ENOSPC, "No space left on device", "source", None, str(hidden))
    names = copied.value.filename, copied.value.filename2
    assert names == ("source", str(tmp_path / "song.mid"))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path):
    """A device would be lost for the whole machine."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        said = f"{name} is there and no file"
        with pytest.raises(UserError, match=said), aside(tmp_path / name) as hidden:
            hidden.write_text("weights")
        with pytest.raises(UserError, match=said):
            write_text(tmp_path / name, "notes")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_of_temporary_files_names_tmpdir(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = f"{tmp_path} has no room for temporary files: make room, or set TMPDIR to"
    with pytest.raises(Resumable, match=said), temporary_folder() as folder:
        no_room(folder)
    with pytest.raises(Resumable, match=said), temporary_folder() as folder:
        raise Resumable(f"cannot write {folder / 'a.png'}: No space left on device")
    with pytest.raises(Resumable, match=r"cannot write song\.png"), temporary_folder():
        raise Resumable("cannot write song.png: No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_folder_that_is_gone_is_no_file(tmp_path: Path):
    """Such as one to a disk that is not mounted."""
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    with pytest.raises(UserError, match=rf"a link to {tmp_path}/disk, which is not there"):
        create_folder(tmp_path / "runs")


def test_no_folder_of_temporary_files_is_no_fault_of_the_name(tmp_path: Path):
    """Libraries look for one while they write."""
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
    said = unwritten(tmp_path / "a.onnx", error)
    assert isinstance(said, Resumable) and "set TMPDIR" in str(said)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ', "\xff"])
def test_a_file_of_anything_but_json_is_a_value_error(text: str, tmp_path: Path):
    (tmp_path / "a.json").write_text(text, "latin-1")
    with pytest.raises(ValueError):
        read_json(tmp_path / "a.json")


def test_a_device_is_no_json_and_is_not_opened(tmp_path: Path):
    """A pipe would keep its reader waiting."""
    with pytest.raises(OSError, match="it is no file"):
        read_json(Path(os.devnull))
    (tmp_path / "a.json").write_text('{"ä": [1]}', "utf-8")
    assert read_json(tmp_path / "a.json") == {"ä": [1]}


def test_a_byte_of_a_name_that_is_no_text_does_not_stop_a_report(tmp_path):
    write_text(tmp_path / "summary.txt", os.fsdecode(b"1 .\xe9t\xe9, ") + "1 .été")
    assert (tmp_path / "summary.txt").read_text("utf-8") == "1 .?t?, 1 .été"


def test_files_that_would_have_one_name_are_named_with_what_helps():
    one, two, other = Path("a/clip.mp4"), Path("b/clip.gif"), Path("b/dog.gif")
    require_different((path.name, path) for path in (one, two, other))
    said = (
        "a/clip.mp4 and b/clip.gif would both be called clip: leave one out, or give one another"
    )
    with pytest.raises(ConfigError, match=said):
        require_different((path.stem, path) for path in (one, other, two))
