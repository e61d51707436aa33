"""Manifests: what they name lies below them, what they say is text; all else is refused by row."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.sources import RejectedFile
from videogen.files.limits import VideoLimits
from videogen.files.manifest import Row, caption_of, is_manifest, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clips, one in a folder; a file and a folder outside."""
    root = tmp_path / "root"
    for path in (root / "a.mp4", root / "dogs" / "rex.mp4", tmp_path / "secret.mp4"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def rows(folder: Path, text: str | bytes, name: str = "clips.csv") -> list[Row]:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)
    return list(read_manifest(folder / name))


def outcomes(folder: Path, text: str | bytes, name: str = "clips.csv") -> list[tuple[int, str]]:
    """Return the number of each row with its caption, or the reason of the rejection."""
    return [(r.number, r.fault[0] if r.fault else r.caption) for r in rows(folder, text, name)]


def test_rows_are_clips_with_captions(folder: Path):
    found = rows(folder, 'path,caption\na.mp4,"one, two"\ndogs/rex.mp4, a  dog \n')
    assert [row.path for row in found] == [folder / "a.mp4", folder / "dogs" / "rex.mp4"]
    assert [row.caption for row in found] == ["one, two", "a dog"]
    lines = [{"file_name": "a.mp4", "text": "eins"}, {"Path": "dogs/rex.mp4", "Caption": "zwei"}]
    text = "\n\n".join(map(json.dumps, lines))
    assert outcomes(folder, text, "x.jsonl") == [(1, "eins"), (3, "zwei")]


def test_other_columns_and_a_mark_of_order_do_no_harm(folder: Path):
    text = b"\xef\xbb\xbfnumber,Text,file\r\n1,hello,a.mp4\r\n"
    assert outcomes(folder, text) == [(2, "hello")]
    assert is_manifest(folder / "clips.csv")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.mp4",
        "dogs/../../secret.mp4",
        "/etc/passwd",
        "C:\\clips\\a.mp4",
        "out/secret.mp4",
        "out.mp4",
        "",
        "  ",
        ".",
        "a.mp4\0.txt",
        "x" * 5000,
        "loop",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, name: str):
    (folder / "out").symlink_to(folder.parent)
    (folder / "out.mp4").symlink_to(folder.parent / "secret.mp4")
    (folder / "loop").symlink_to(folder / "loop")
    text = "\n".join(json.dumps({"path": p, "caption": "c"}) for p in ("a.mp4", name, "a.mp4"))
    found = outcomes(folder, text, "x.jsonl")
    assert found[::2] == [(1, "c"), (3, "c")]
    assert found[1] in [(2, "path"), (2, "no-file")]


def test_a_link_that_stays_below_is_followed(folder: Path):
    (folder / "b.mp4").symlink_to(folder / "dogs" / "rex.mp4")
    assert outcomes(folder, "path,caption\nb.mp4,x\n") == [(2, "x")]


def test_rows_without_what_they_need_are_refused(folder: Path):
    text = "path,caption\na.mp4\na.mp4,\nabsent.mp4,x\ndogs,x\n\na.mp4,last\n"
    assert outcomes(folder, text) == [
        (2, "row"),
        (3, "no-caption"),
        (4, "no-file"),
        (5, "no-file"),
        (7, "last"),
    ]
    lines = ["[1]", "{", '{"path": 3, "caption": "x"}', "[" * 100_000, '{"path": "a.mp4"}']
    assert [reason for _, reason in outcomes(folder, "\n".join(lines), "x.jsonl")] == ["row"] * 5


def test_captions_that_are_no_text_are_refused(folder: Path):
    head = b"path,caption\na.mp4,"
    assert outcomes(folder, head + b"caf\xe9\na.mp4,caf\xc3\xa9\n") == [
        (2, "caption"),
        (3, "café"),
    ]
    assert outcomes(folder, head + b"a\x07b\n") == [(2, "caption")]
    assert outcomes(folder, head + "a\u202eb\n".encode()) == [(2, "caption")], (
        "turns the line round"
    )
    assert outcomes(folder, head + b"x" * 1001 + b"\na.mp4,y\n") == [(2, "caption"), (3, "y")]
    assert outcomes(folder, head + b"x" * 10_000_000 + b"\na.mp4,y\n") == [(2, "row"), (3, "y")]
    long = json.dumps({"path": "a.mp4", "caption": "x" * 10_000_000})
    assert outcomes(folder, long, "x.jsonl") == [(1, "caption")]


def test_a_manifest_that_is_too_large_is_not_read(folder: Path):
    (folder / "x.csv").write_text("path,caption\n" + "a.mp4,x\n" * 10)
    [row] = read_manifest(folder / "x.csv", VideoLimits(manifest_bytes=50))
    assert row.fault is not None and row.fault[0] == "too-large"


@pytest.mark.parametrize(
    ("name", "text", "is_one"),
    [
        ("x.csv", "path,caption\n", True),
        ("x.csv", "File, Text\n", True),
        ("x.csv", "path,length\n", False),
        ("x.csv", "", False),
        ("x.jsonl", '{"video": "a", "prompt": "b", "more": 3}', True),
        ("x.jsonl", '["path", "caption"]', True),
        ("x.jsonl", "3", False),
        ("x.jsonl", "[" * 100_000, False),
    ],
)
def test_a_manifest_is_known_by_its_first_line(tmp_path: Path, name: str, text: str, is_one: bool):
    (tmp_path / name).write_text(text)
    assert is_manifest(tmp_path / name) is is_one
    assert not is_manifest(tmp_path / f"absent-{name}")


@given(st.text(max_size=60), st.text(max_size=60))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_row_says_it_is_read_or_refused(folder: Path, path: str, caption: str):
    line = json.dumps({"path": path, "caption": caption})
    [row] = rows(folder, line, "x.jsonl")
    if row.fault is None:
        assert row.path is not None and row.path.is_file()
        assert os.path.commonpath([row.path.resolve(), folder.resolve()]) == str(folder.resolve())
        assert row.caption == " ".join(caption.split()) and row.caption.isprintable()


@given(st.binary(max_size=300))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_bytes_of_any_kind_do_no_harm(folder: Path, data: bytes):
    for name in ("x.csv", "x.jsonl"):
        is_manifest(folder / name)
        assert all(row.number > 0 for row in rows(folder, data, name))
    rows(folder, b"path,caption\n" + data)


def test_scripts_of_all_kinds_are_text():
    for text in ("ein Hund läuft", "犬が走る", "می\u200cخواهم", "🐕 runs", "5 × 3"):  # noqa: RUF001
        assert caption_of(text, VideoLimits()) == text
    with pytest.raises(RejectedFile):
        caption_of("\ud800", VideoLimits())
