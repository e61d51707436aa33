"""Labels of generated items."""

import os

import pytest

from core.app.label import LONGEST, name_of, origin, shortened, slug


def test_a_name_of_a_file_that_is_no_text_becomes_text_in_names_of_items():
    stem = os.fsdecode(b"caf\xe9")
    assert name_of("vae", 1, f"reconstruction-{stem}") == "vae-seed1-reconstruction-caf?"
    assert origin("vae", of=stem).endswith("vae, of caf?")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("Ein Hund läuft!", "ein-hund-läuft"),
        ("?", ""),
        ("🐶🎉", ""),
        ("", ""),
        ("a" * LONGEST, "a" * LONGEST),
        ("two\nlines\x00", "two-lines"),
    ],
)
def test_a_text_becomes_part_of_a_name_and_no_folder(text: str, name: str):
    assert slug(text) == name


@pytest.mark.parametrize("word", ["dog ", "ä", "犬", "a-"])
def test_long_texts_are_cut_and_kept_apart_by_a_checksum(word: str):
    one, other = slug(word * 200), slug(word * 200 + "x")
    assert one != other
    assert one[:-8] == other[:-8]
    assert LONGEST - 4 <= len(one.encode()) <= LONGEST


def test_long_names_of_files_are_cut_as_texts_are_and_short_ones_stay():
    assert shortened("My Song_(2)") == "My Song_(2)"
    one, other = shortened("x" * 200), shortened("x" * 201)
    assert one != other and len(one) == len(other) == LONGEST
    assert len(shortened("ä" * 40, limit=32).encode()) <= 32
