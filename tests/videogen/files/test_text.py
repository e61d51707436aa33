"""Text of several encodings is read; what only looks like one is refused."""

import gzip
from pathlib import Path

import pytest

from core.data.sources import RejectedFile
from core.errors import UserError
from videogen.files.text import decode, read_prompts

GERMAN = 'Ein Hund läuft über die Straße, "schön" \u2013 für 5 €\r\nzweite Zeile\n'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_an_encoding_is_recognised(encoding: str):
    assert decode(GERMAN.encode(encoding)) == GERMAN


def test_each_line_may_be_of_its_own():
    assert decode("café\n".encode() + "café".encode("cp1252")) == "café\ncafé"
    many = "Müßiggang, œuvre d\u2019été, ¿qué dices, mañana?"
    assert decode(many.encode("cp1252")) == many


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("一只狗在跑", "gbk"),
        ("犬が走る", "shift-jis"),
        ("собака бежит", "cp1251"),
        ("σκύλος τρέχει", "cp1253"),
        ("chłopak kopie piłkę", "cp1250"),
        ("ein Hund läuft", "cp850"),
        ("er hört", "cp850"),
        ("ein Hund läuft", "mac-roman"),
        ("le café", "mac-roman"),
    ],
)
def test_another_alphabet_is_not_read_as_the_western_one(text: str, encoding: str):
    with pytest.raises(RejectedFile, match="save it as UTF-8"):
        decode(text.encode(encoding))
    assert decode(text.encode()) == text


def test_a_stray_zero_does_not_make_letters_wide():
    assert decode(b"a dog\0runs") == "a dog\0runs"
    assert decode("ein Käfer\0läuft, ein Hund läuft".encode()).startswith("ein Käfer\0läuft")
    assert decode("犬 走る\n".encode("utf-16-le")) == "犬 走る\n"


def test_half_a_letter_is_refused():
    with pytest.raises(RejectedFile, match="no valid utf-16"):
        decode(b"\xff\xfea\0b")


def test_prompts_are_lines(tmp_path):
    (tmp_path / "prompts.txt").write_text("a dog\n\n  a cat \n")
    assert read_prompts(tmp_path / "prompts.txt") == ["a dog", "a cat"]
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        (tmp_path / "prompts.txt").write_text("ein Hund läuft\r\neine Kuh\r\n", encoding)
        assert read_prompts(tmp_path / "prompts.txt") == ["ein Hund läuft", "eine Kuh"]
    (tmp_path / "none.txt").write_text("\n")
    for name, cure in (
        ("none.txt", "write one in each line"),
        ("absent.txt", "there is no such file: correct its path"),
        ("", "it is a folder: give a file in it"),
    ):
        with pytest.raises(UserError, match=f"{name}.*{cure}"):
            read_prompts(tmp_path / name)


def test_prompts_may_be_packed_and_joined_of_several_files(tmp_path: Path):
    """A mark of order stands where a further file of Windows begins."""
    text = "\ufeffa dog\r\n\ufeffa cat\tsleeps 🐶\r\n".encode()
    for name, data in (("x.txt", text), ("x.txt.gz", gzip.compress(text))):
        (tmp_path / name).write_bytes(data)
        assert read_prompts(tmp_path / name) == ["a dog", "a cat sleeps 🐶"]


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\0\x06\0",
        b"%PDF-1.7\n\x00\x93\x8c",
        rb"{\rtf1\ansi a dog}",
        b"\xd0\xcf\x11\xe0\xa1\xb1",
        b"a\0dog",
        gzip.compress(b"a dog\x01", mtime=0),
    ],
)
def test_documents_are_no_captions(tmp_path: Path, data: bytes):
    """Files of word processors, whose bytes would be captions of clips."""
    (tmp_path / "x.txt").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.txt.* no plain text.*: save it as plain text"):
        read_prompts(tmp_path / "x.txt")


def test_a_mark_of_order_begins_each_of_joined_files():
    for encoding in ("utf-8", "utf-16-le"):
        assert decode("\ufeffa dog\n\ufeffa cat".encode(encoding)) == "a dog\na cat"
