"""Manifests: what they name lies below them, what they say is text; all else is refused by row."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.sources import RejectedFile
from videogen.data.cells import NotUnderstood
from videogen.data.manifest import Row, caption_of, read_manifest
from videogen.files.limits import VideoLimits


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


@pytest.mark.parametrize("error", ["#NAME?", "#REF!", "#DIV/0!", "Err:508"])
def test_an_error_of_a_spreadsheet_is_no_caption(folder: Path, error: str):
    """Excel computes a caption that begins with = or -."""
    found = rows(folder, f"path,caption\na.mp4,{error}\ndogs/rex.mp4,the #1 dog!\n")
    assert found[0].fault == (
        "no-caption",
        f"the caption is {error}, an error of a spreadsheet: write it there as text",
    )
    assert found[1].caption == "the #1 dog!"


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
    lines = ['{"path": "a.mp4", "caption": "first"}', *lines]
    found = outcomes(folder, "\n".join(lines), "x.jsonl")
    assert [reason for _, reason in found] == ["first", *["row"] * 5]


def test_rows_of_empty_cells_are_none(folder: Path):
    """Spreadsheets write them below the last row that was ever filled."""
    assert outcomes(folder, "path;caption\na.mp4;x\n;\n ; \n\n;;;\na.mp4;y\n") == [
        (2, "x"),
        (7, "y"),
    ]


def test_a_caption_has_a_word(folder: Path):
    text = "path,caption\na.mp4,\U0001f3ac\na.mp4,?!\na.mp4,\u72d7\na.mp4,7\n"
    assert outcomes(folder, text) == [
        (2, "no-caption"),
        (3, "no-caption"),
        (4, "\u72d7"),
        (5, "7"),
    ]
    assert "the caption has no word: '?!'" in str(rows(folder, text)[1].fault)


@pytest.mark.parametrize("column", ["video_file_name", "relpath", "clip_filename", "fname"])
def test_a_column_of_files_may_be_called_in_many_ways(folder: Path, column: str):
    assert outcomes(folder, f"id,{column},text\n7,a.mp4,a dog\n") == [(2, "a dog")]


def test_a_list_of_one_film_is_this_film(folder: Path):
    rows = [{"videos": ["a.mp4"], "text": "a dog"}, {"videos": ["a.mp4", "b.mp4"], "text": "x"}]
    found = outcomes(folder, "\n".join(map(json.dumps, rows)), "x.jsonl")
    assert found == [(1, "a dog"), (2, "row")]
    columns = {"videos": ["a.mp4", "dogs/rex.mp4"], "captions": ["a dog", "a hound"]}
    assert outcomes(folder, json.dumps(columns), "x.json") == [(1, "a dog"), (2, "a hound")]


def test_a_caption_of_a_web_page_is_as_it_is_read_there(folder: Path):
    text = (
        "path,caption\na.mp4,Tom &amp; Rex&#39;s <b>ball</b>\na.mp4,<p>a dog<br/>runs</p>\n"
        "a.mp4,a &lt;sks&gt; dog &amp;amp; AT&T\na.mp4,<p></p>\na.mp4,a&#x202e;b\n"
    )
    assert outcomes(folder, text) == [
        (2, "Tom & Rex's ball"),
        (3, "a dog runs"),
        (4, "a <sks> dog & AT&T"),
        (5, "no-caption"),
        (6, "caption"),
    ]


def test_a_row_with_a_fault_names_its_clip_all_the_same(folder: Path):
    text = "path,caption,start,end\na.mp4,,,\na.mp4\na.mp4,x,7,3\nabsent.mp4,,,\n"
    found = rows(folder, text)
    assert [row.path and row.path.name for row in found] == ["a.mp4", "a.mp4", "a.mp4", None]
    assert all(row.fault for row in found)


def test_captions_that_are_no_text_are_refused(folder: Path):
    head = b"path,caption\na.mp4,"
    assert outcomes(folder, head + b"caf\xe9\na.mp4,caf\xc3\xa9\n") == [(2, "café"), (3, "café")]
    assert outcomes(folder, head + b"a\x07b\n") == [(2, "caption")]
    assert outcomes(folder, head + "a\u202eb\n".encode()) == [(2, "caption")], (
        "turns the line round"
    )
    marked = "\u200fכלב רץ\u200e, \u2067so\u00adft\u2069\ufeff".encode()
    assert outcomes(folder, head + b'"' + marked + b'"') == [(2, "כלב רץ, soft")]
    assert outcomes(folder, head + "a \U0001fae9".encode()) == [(2, "a \U0001fae9")], "a new emoji"
    assert outcomes(folder, head + b"x" * 10_001 + b"\na.mp4,y\n") == [(2, "caption"), (3, "y")]
    assert outcomes(folder, head + b"x" * 20_000_000 + b"\na.mp4,y\n") == [(2, "row"), (3, "y")]
    long = json.dumps({"path": "a.mp4", "caption": "x" * 10_000_000})
    assert outcomes(folder, long, "x.jsonl") == [(1, "caption")]


def reason(folder: Path, text: str | bytes, name: str = "x.csv", **limits: int) -> str:
    """Return why a table is not understood."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(NotUnderstood) as caught:
        list(read_manifest(folder / name, VideoLimits.model_validate(limits)))
    return str(caught.value)


def test_a_table_that_is_not_understood_says_why(folder: Path):
    many = "path,caption\n" + "a.mp4,x\n" * 10
    assert reason(folder, many, manifest_bytes=50).startswith("at most 50 bytes")
    assert "but: path, length" in reason(folder, "path,length\na.mp4,3\n")
    assert "first line is not that of columns" in reason(folder, "")
    assert "encoding is not known" in reason(folder, "path,caption\na.mp4,狗在跑\n".encode("gbk"))
    assert "row 2 is not closed" in reason(
        folder, 'path,caption\na.mp4,"a dog\ndogs/rex.mp4,rex\n'
    )
    text = 'path,caption\na.mp4,"a dog\ndogs/rex.mp4,rex\na.mp4,"last"\n'
    assert "row 2 is not closed" in reason(folder, text), "even if a later mark closes it"
    assert "its first line is not valid JSON" in reason(folder, "[" * 100_000, "x.jsonl")
    assert "not a JSON object" in reason(folder, "3", "x.jsonl")
    assert "but: a, b" in reason(folder, '{"a": 1, "b": 2}', "x.jsonl")
    assert "but: a, b" in reason(folder, '[{"a": 1, "b": 2}]', "x.json")
    assert "no prompts.txt beside" in reason(folder, "a.mp4\n", "videos.txt")
    (folder / "prompts.txt").write_text("one\ntwo\n")
    assert "names 1 clips, but prompts.txt has 2" in reason(folder, "a.mp4\n", "videos.txt")


@pytest.mark.parametrize(
    "head",
    [
        *("path,caption", "File, Text", "path;caption", "file name\tPrompt", "media_path|caption"),
        *('"video_path";"caption"', "number,Filename,Description", "sep=;\npath;caption"),
        "path,caption," + "y" * 200_000,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_table_is_read_in_any_separator_and_encoding(folder: Path, head: str, encoding: str):
    separator = next(mark for mark in ";\t|," if mark in head)
    cells = {"number": "1"}
    last = head.split("\n")[-1].split(separator)
    row = ["ein Hund läuft" if name.strip('" ').lower() in WORDS else "a.mp4" for name in last]
    row = [cells.get(name, cell) for name, cell in zip(last, row, strict=True)]
    text = f"{head}\r\n{separator.join(row)}\r\n"
    assert outcomes(folder, text.encode(encoding), "x.CSV")[-1][1] == "ein Hund läuft"


WORDS = {"caption", "text", "prompt", "description"}


def test_a_caption_may_span_lines_and_a_path_be_written_on_windows(folder: Path):
    text = 'path,caption\r\ndogs\\rex.mp4,"two\r\nlines"\r\nDOGS\\REX.MP4,x\r\n'
    found = rows(folder, text)
    assert [(row.path, row.caption) for row in found] == [
        (folder / "dogs" / "rex.mp4", "two lines"),
        (folder / "dogs" / "rex.mp4", "x"),
    ]
    absolute = {"video_path": str(folder.resolve() / "a.mp4"), "caption": "absolute"}
    assert outcomes(folder, json.dumps(absolute), "x.jsonl") == [(1, "absolute")]
    [row] = rows(folder, "path,caption\nC:\\clips\\b.mp4,x\n")
    assert row.fault and "write paths relative to it" in row.fault[1]


@pytest.mark.parametrize(
    "place", ["C:\\clips\\", "\\\\disk\\clips\\", "/home/other/clips/", "D:/clips/", "~/clips/"]
)
def test_a_path_of_another_machine_is_that_of_the_same_name_here(folder: Path, place: str):
    """The longest end counts, and two paths are never one file."""
    (folder / "rex.mp4").touch()
    found = rows(folder, f"path,caption\n{place}a.mp4,x\n{place}dogs/rex.mp4,y\n")
    assert [row.path for row in found] == [folder / "a.mp4", folder / "dogs" / "rex.mp4"]
    assert [row.other_name for row in found] == [f"{place}a.mp4", f"{place}dogs/rex.mp4"]
    assert outcomes(folder, f"path,caption\n{place}a.mp4,x\n{place}b/a.mp4,y\n") == [
        (1 + n, "no-file") for n in (1, 2)
    ]
    assert outcomes(folder, f"path,caption\n{place}a.mp4,x\n{place}a.mp4,y\n") == [
        (2, "x"),
        (3, "y"),
    ]


def test_a_path_of_this_machine_is_no_other_file(folder: Path):
    (folder / "secret.mp4").touch()
    outside = folder.resolve().parent / "secret.mp4"
    for name in (str(outside), "../secret.mp4", "/x/../secret.mp4"):
        assert outcomes(folder, f"path,caption\n{name},x\n") == [(2, "path")]


@pytest.mark.parametrize(
    "name", ["[1] a.mp4", "50%.mp4", "a%20b.mp4", "a*.mp4", "%04d.mp4", "a#1?.mp4"]
)
def test_any_name_of_a_file_is_read(folder: Path, name: str):
    (folder / name).touch()
    [row] = rows(folder, f"path,caption\n{name},x\n")
    assert (row.path, row.other_name) == (folder / name, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset.json", [{"media_path": "a.mp4", "caption": "one"}]),
        ("dataset.json", {"videos": [{"video_path": "a.mp4", "prompt": "one"}], "version": 2}),
        ("dataset.json", {"path": "a.mp4", "caption": "one"}),
        ("captions.json", {"a.mp4": ["one"]}),
        ("captions.json", {"a.mp4": "one"}),
        ("captions.json", {"a.mp4": {"caption": "one"}}),
        ("metadata.jsonl", {"video_path": "a.mp4", "caption": "one"}),
        ("metadata.json", {"file_name": "a.mp4", "text": "one", "fps": 24}),
    ],
)
def test_tables_of_other_trainers_are_read(folder: Path, name: str, text: object):
    assert outcomes(folder, json.dumps(text), name) == [(1, "one")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.json", [{"id": "a", "label": "one", "template": "x"}]),
        ("videodatainfo.json", {"videos": [{"video_id": "a", "url": "x"}], "sentences": [
            {"caption": "one", "video_id": "a", "sen_id": 7}]}),
        ("x.json", [{"videoID": "a", "enCap": ["one"]}]),
        ("x.json", {"id": "mine", "title": "My clips", "clips": [{"vid": "a", "caption": "one"}]}),
        ("x.csv", "videoid,contentUrl,page_dir,name\na,https://x,1,one\n"),
        ("x.csv", "name,caption\na.mp4,one\n"),
        ("x.csv", "file,class\na.mp4,one\n"),
        ("x.csv", "path;caption;;\na.mp4;one;;\n"),
        ("x.csv", "\n# my clips\npath,caption\na.mp4,one\n"),
        ("x.csv", "#path\tcaption\na.mp4\tone\n"),
        ("x.csv", 'path, caption\na.mp4, "one"\n'),
        ("x.csv", ",video,caption_0,caption_1\n0,a.mp4,zero,one\n"),
        ("x.csv", "clip_id,text\na,one\n"),
        ("x.json", [{"path": "a.mp4", "cap": ["zero", "one"]}]),
        ("x.json", [{"video": {"path": "a.mp4"}, "caption": {"text": "one"}}]),
        ("x.json", [{"data": {"path": "a.mp4", "caption": "one"}}]),
        ("x.json", [{"file_name": "a.mp4", "text": "one", "by": {"file": "b", "caption": "no"}}]),
        ("x.json", {"a.mp4": {"captions": ["zero", "one"], "fps": 8}}),
        ("x.json", {"a": {"annotations": {"label": "one"}, "url": "https://x"}}),
        ("x.json", {"path": {"0": "a.mp4"}, "caption": {"0": "one"}}),
        ("x.json", {"path": ["a.mp4", "a.mp4"], "caption": ["zero", "one"], "fps": 8}),
        ("x.json", [{"path": "a.mp4", "caption": [{"text": "zero"}, {"text": "one"}]}]),
        ("x.csv", "video,detailed_caption,num_captions\na.mp4,one,7\n"),
        ("x.csv", "video,title,recaption\na.mp4,zero,one\n"),
        ("x.csv", "video,negative_prompt,prompt_en\na.mp4,zero,one\n".replace("_en", "")),
    ],
)  # fmt: skip
def test_tables_of_public_collections_are_read(folder: Path, name: str, text: object):
    whole = text if isinstance(text, str) else json.dumps(text)
    assert outcomes(folder, whole, name)[-1][1] == "one"


@pytest.mark.parametrize(
    "text",
    [
        {"license": "MIT", "author": "me"},
        {"name": "a package", "description": "of something", "version": "1"},
        {"id": "me/x", "title": "X", "licenses": [{"name": "CC0"}]},
        {"categories": [{"id": 1, "name": "dog"}]},
        [{"path": "a.mp4", "author": {"name": "Rex", "title": "Dr."}}],
    ],
)
def test_a_table_of_other_things_is_no_manifest(folder: Path, text: object):
    assert reason(folder, json.dumps(text), "x.json")


def test_two_values_of_one_name_are_not_understood(folder: Path):
    """One of them would be lost."""
    assert "2 columns are called caption" in reason(folder, "path,caption,Caption\na.mp4,x,y\n")
    twice = '{"a.mp4": "one", "a.mp4": "two"}'
    assert "a.mp4 stands in it twice" in reason(folder, twice, "x.json")
    assert outcomes(folder, '{"a.mp4": "one", "a.mp4": "one"}', "x.json") == [(1, "one")]
    two = "video,short_text_caption,dense_caption\na.mp4,x,y\n"
    assert "its first line is not that of columns path and caption" in reason(folder, two)


def test_what_programs_write_for_no_caption_is_none(folder: Path):
    text = "path,caption\na.mp4,nan\na.mp4,NULL\na.mp4,None of these\n"
    assert outcomes(folder, text) == [(2, "no-caption"), (3, "no-caption"), (4, "None of these")]
    lines = [{"path": "a.mp4", "caption": value} for value in (7, 0.5, True, None)]
    assert outcomes(folder, "\n".join(map(json.dumps, lines)), "x.jsonl") == [
        (1, "7"), (2, "0.5"), (3, "row"), (4, "row"),
    ]  # fmt: skip


def test_a_row_has_no_more_cells_than_the_table_has_columns(folder: Path):
    """A comma within a caption would cut it off without a word."""
    found = rows(folder, 'path,caption\na.mp4,a dog, running\na.mp4,"a dog, running"\n')
    assert found[0].fault and "3 cells for 2 columns" in found[0].fault[1]
    assert found[1].caption == "a dog, running"


def test_several_captions_of_a_clip_are_several_rows(folder: Path):
    text = json.dumps({"a.mp4": ["one", "two"], "dogs/rex.mp4": ["three"]})
    assert outcomes(folder, text, "captions.json") == [(1, "one"), (1, "two"), (2, "three")]


def test_a_caption_in_brackets_is_no_list(folder: Path):
    for caption in ("[trigger] a dog", "[1] a dog", "['a dog"):
        assert outcomes(folder, f"path\tcaption\na.mp4\t{caption}\n") == [(2, caption)]


def test_rows_after_remarks_are_numbered_as_their_lines(folder: Path):
    assert outcomes(folder, "# mine\n\npath,caption\na.mp4,\n") == [(4, "no-caption")]


def test_a_list_of_clips_has_a_list_of_captions_beside_it(folder: Path):
    (folder / "Prompts.txt").write_bytes("ein Hund läuft\r\nrex\r\n".encode("cp1252"))
    assert outcomes(folder, "a.mp4\ndogs/rex.mp4\n\n", "videos.txt") == [
        (1, "ein Hund läuft"),
        (2, "rex"),
    ]


@given(st.text(max_size=60), st.text(max_size=60))
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
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
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_bytes_of_any_kind_do_no_harm(folder: Path, data: bytes):
    for name in ("x.csv", "x.jsonl", "x.json", "videos.txt"):
        with contextlib.suppress(NotUnderstood):
            assert all(row.number > 0 for row in rows(folder, data, name))
    with contextlib.suppress(NotUnderstood):
        rows(folder, b"path,caption\n" + data)


def test_scripts_of_all_kinds_are_text():
    for text in ("ein Hund läuft", "犬が走る", "می\u200cخواهم", "🐕 runs", "5 × 3"):  # noqa: RUF001
        assert caption_of(text, VideoLimits()) == text
    with pytest.raises(RejectedFile):
        caption_of("\ud800", VideoLimits())
