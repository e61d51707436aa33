"""A table that names clips and is not understood stops, however it writes the names."""

import gzip
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from listings import clips, write

from core.errors import UserError
from videogen.data.sources.listing import listing


@pytest.mark.parametrize("encoding", ["cp850", "cp1251", "gbk"])
def test_a_table_in_no_known_encoding_stops_where_it_names_clips_below(
    folder: Path, encoding: str
):
    text = {"cp850": "er hört", "cp1251": "собака бежит", "gbk": "一只狗在跑"}[encoding]
    table = folder / "clips.csv"
    table.write_bytes(f"path,caption\ndogs/rex.gif,{text}\n".encode(encoding))
    (folder / "a_red_dog.mp4").unlink()
    (folder / "b.mkv").unlink()
    with pytest.raises(UserError, match=r"clips\.csv names rex\.gif, .*: save it as UTF-8"):
        clips(folder)


def test_a_table_that_names_clips_is_understood_or_stops(folder: Path):
    write(folder, y_dot_csv="dateiname,text_de\nb.mkv,ein Hund\n")
    with pytest.raises(UserError, match=r"y\.csv names b\.mkv, but is not .*dateiname"):
        listing([str(folder)])
    assert clips(folder, "text")["b.mkv"] == ("two lines", "text")
    write(folder, y_dot_csv='path,caption\nb.mkv,"ein Hund\ndogs/rex.gif,rex\n')
    with pytest.raises(UserError, match=r"quotation mark in row 2 is not closed.*--captions"):
        listing([str(folder)])
    write(folder, y_dot_csv="", rejects_dot_jsonl='{"path": "b.mkv", "reason": "damaged"}')
    assert clips(folder)["b.mkv"] == ("two lines", "text"), "a report of prepare is no table"
    write(folder, videos_dot_txt="b.mkv\n")
    with pytest.raises(UserError, match=r"videos\.txt names b\.mkv.*no prompts\.txt beside it"):
        listing([str(folder)])


def test_a_table_of_ids_is_understood_or_stops(tmp_path: Path):
    """Ids without suffixes name clips, too; short numbers and words may be anything."""
    write(tmp_path, v_1aB_dot_mp4="x", _7_dot_mp4="x", dog_dot_mp4="x")
    (tmp_path / "_7.mp4").rename(tmp_path / "7.mp4")
    write(tmp_path, x_dot_json='{"v_1aB": {"subset": "training", "frames": 70}}')
    with pytest.raises(UserError, match=r"x\.json names v_1aB, but is not understood"):
        listing([str(tmp_path)])
    write(tmp_path, x_dot_json='{"frames": [7, 8], "classes": "dog"}')
    assert set(clips(tmp_path)) == {"v_1aB.mp4", "7.mp4", "dog.mp4"}


def test_a_table_of_a_kind_that_is_not_read_stops(tmp_path: Path):
    """Otherwise the names of files would stand in for its captions."""
    write(tmp_path, a_dot_mp4="x", x_dot_yaml="a.mp4: a dog runs\n")
    with pytest.raises(UserError, match=r"x\.yaml names a\.mp4, .*save it as CSV: \.yaml is not"):
        listing([str(tmp_path)])
    write(tmp_path, x_dot_yaml="resolution: 64\n")
    assert clips(tmp_path) == {"a.mp4": ("a", "name")}


def test_a_workbook_that_names_clips_stops(tmp_path: Path):
    """In the folder above the clips too; one about other things does not."""
    write(tmp_path, videos__a_dot_mp4="x")
    for name, cell in (("a.mp4", "videos/a.mp4"), ("", "cameras")):
        with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as book:
            book.writestr("xl/sharedStrings.xml", f"<sst><si><t>{cell}</t></si></sst>")
        if name:
            with pytest.raises(UserError, match=r"x\.xlsx names a\.mp4, .*\.xlsx is not read"):
                listing([str(tmp_path)])
    assert clips(tmp_path) == {"videos/a.mp4": ("videos", "folder")}
    (tmp_path / "videos" / "metadata.parquet").write_bytes(b"PAR1 PAR1")
    with pytest.raises(UserError, match=r"metadata\.parquet lies beside a\.mp4"):
        listing([str(tmp_path)])


@pytest.mark.parametrize(("name", "words"), [("captions", "a.mp4 a dog runs"), ("a", "a dog")])
@pytest.mark.parametrize("suffix", [".docx", ".odt", ".rtf"])
def test_a_document_that_names_clips_or_is_named_after_one_stops(
    tmp_path: Path, name: str, words: str, suffix: str
):
    """Others lie beside clips as well: licences, letters."""
    write(tmp_path, a_dot_mp4="x")
    for one, text in (("licence", "all may use it"), (name, words)):
        assert clips(tmp_path) == {"a.mp4": ("a", "name")}
        path = tmp_path / f"{one}{suffix}"
        if suffix == ".rtf":
            path.write_text(f"{{\\rtf1 {text}}}")
        else:
            with zipfile.ZipFile(path, "w") as document:
                document.writestr("word/document.xml", f"<w:t>{text}</w:t>")
    with pytest.raises(UserError, match=rf"{name}\{suffix} names a\.mp4, .* into clips\.csv"):
        listing([str(tmp_path)])


def test_a_workbook_stays_beside_its_csv(tmp_path: Path):
    """Its clips have their captions; one that only it names stops."""
    csv = "path,caption\na.mp4,a dog runs\n"
    write(tmp_path, a_dot_mp4="x", captions_dot_csv=csv, sizes_dot_csv="film,width\na.mp4,64\n")
    with zipfile.ZipFile(tmp_path / "captions.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", "<sst><si><t>a.mp4</t><t>b.mp4</t></si></sst>")
    assert clips(tmp_path) == {"a.mp4": ("a dog runs", "manifest")}
    assert listing([str(tmp_path)]).passed_over == Counter({".xlsx": 1, ".csv": 1})
    write(tmp_path, b_dot_mp4="x")
    with pytest.raises(UserError, match=r"captions\.xlsx names b\.mp4"):
        listing([str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "film,untertitel\nrex.mp4,ein Hund\nmax.mp4,zwei\n"),
        ("x.csv", "film/untertitel\nrex.mp4/ein Hund\nmax.mp4/zwei\n"),
        ("x.csv", "film,untertitel\nrex,ein Hund\nmax,zwei\n"),
        ("x.csv", "film,untertitel\nREX.avi,ein Hund\n"),
        ("x.csv", "film@untertitel\nrex.mp4@ein Hund\n"),
        ("x.csv", "Ab1dEf2hIj3,30,ein Hund,train\n"),
        ("x.json", '{"datei": "caf\\u00e9.mp4", "text_de": "ein Hund"}'),
        ("x.toml", '"rex.mp4" = "ein Hund"\n'),
        ("x.xml", "<c f='caf&#233;.mp4'>ein Hund</c>"),
        ("x.csv", "film,untertitel\nhttps://x.org/caf%C3%A9.mp4,ein Hund\n"),
    ],
)
def test_a_table_is_tied_to_its_clips_however_it_writes_their_names(
    tmp_path: Path, name: str, text: str
):
    films = ("rex", "max", "caf\u00e9", "Ab1dEf2hIj3_000030")
    write(tmp_path / "dogs", **{f"{film}_dot_mp4": "x" for film in films})
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=r"x\.\w+ names .*, but is not understood"):
        listing([str(tmp_path)])
    (tmp_path / name).write_text(text.replace("rex", "brex").replace("max", "bmax")
                                 .replace("caf", "bcaf").replace("Ab1", "bAb1"))  # fmt: skip
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("REX", "bREX"))
    assert {caption for caption, _ in clips(tmp_path).values()} == {"dogs"}, "of other clips"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv.gz", gzip.compress(b"path,caption\na.mp4,a dog\n", mtime=0)),
        ("x.txt.gz", gzip.compress(b"a.mp4|a dog\n", mtime=0)),
        ("a.txt.gz", gzip.compress(b"a dog", mtime=0)),
        ("a.mp4.caption.gz", gzip.compress(b"a dog", mtime=0)),
        ("x.jsonl.GZ", gzip.compress(b'{"path": "a.mp4", "caption": "a dog"}\n', mtime=0)),
        ("x.xls", b"\xd0\xcf\x11\xe0" + "a.mp4 a dog".encode("utf-16-le")),
        ("x.db", b"SQLite format 3\0\0\x17\x15aa.mp4a dog"),
        ("x.pkl", b"\x80\x04}\x8c\x05a.mp4\x8c\x05a dog."),
        ("x.feather", b"ARROW1\0\0"),
        ("x.numbers", b"PK\x03\x04"),
        ("a.yaml", b"caption: a dog\n"),
        ("a.csv", b"caption\na dog\n"),
        ("a.xml", b"<description>a dog</description>"),
        ("a.json", b'{"caption": "a dog'),
    ],
)
def test_captions_that_cannot_be_read_stop(tmp_path: Path, name: str, data: bytes):
    write(tmp_path, a_dot_mp4="x")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=r"(names|lies beside) a\.mp4, but is not understood"):
        listing([str(tmp_path)])
    assert clips(tmp_path, "name") == {"a.mp4": ("a", "name")}
