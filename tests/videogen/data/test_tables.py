"""Tables are read in any separator, with and without their first line."""

from pathlib import Path

import pytest
from listings import clips, read_rows, write

from videogen.data.sources.listing import listing


@pytest.mark.parametrize(
    ("cell", "caption"),
    [
        (r'"a \"red\" dog, \"no\" cat"', 'a "red" dog, "no" cat'),
        (r'"\"a dog\""', '"a dog"'),
        (r'"a ""\"" of a font"', r'a "\" of a font'),
    ],
)
def test_quotation_marks_within_a_caption_are_doubled_or_after_a_backslash(
    tmp_path: Path, cell: str, caption: str
):
    write(tmp_path, a_dot_mp4="x", clips_dot_csv=f'path,caption\n".\\a.mp4",{cell}\n')
    assert clips(tmp_path) == {"a.mp4": (caption, "manifest")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "1aB.mp4,a dog\n2aB.mp4,a cat\n"),
        ("x.csv", "1aB.mp4;a dog\r\n2aB.mp4;a cat\r\n"),
        ("x.txt", "1aB.mp4|a dog\n2aB.mp4|a cat\n"),
        ("x.txt", "1aB\ta dog\n2aB\ta cat\n"),
        ("x.txt", "# my clips\n\n1aB a dog\n2aB a cat\n"),
        ("x.txt", "clips\\1aB.mp4 a dog\nclips\\2aB.mp4 a cat\n"),
        ("x.txt", "1aB.mp4: a dog\n2aB.MP4:a cat\n"),
        ("x.txt", "1aB.mp4 = a dog\n2aB.mp4 = a cat\n"),
        ("x.txt", "1aB.mp4 - a dog\n2aB.mp4 -> a cat\n"),
    ],
)
def test_a_table_without_its_first_line_is_read(tmp_path: Path, name: str, text: str):
    write(tmp_path / "clips", _1aB_dot_mp4="x", _2aB_dot_mp4="x")
    for number in (1, 2):
        (tmp_path / "clips" / f"_{number}aB.mp4").rename(tmp_path / "clips" / f"{number}aB.mp4")
    (tmp_path / name).write_text(text)
    assert read_rows(tmp_path) == [("1aB.mp4", "a dog", None), ("2aB.mp4", "a cat", None)]


def test_a_name_with_spaces_stands_before_its_caption(tmp_path: Path):
    text = "my dog.mp4 a dog - or two\nmy cat.mp4: a cat\n"
    write(tmp_path, **{"my dog_dot_mp4": "x", "my cat_dot_mp4": "x", "x_dot_txt": text})
    names = [("my dog.mp4", "a dog - or two", None), ("my cat.mp4", "a cat", None)]
    assert read_rows(tmp_path) == names


def test_a_comma_within_a_caption_of_a_text_is_pointed_out(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    write(tmp_path, x_dot_txt='a.mp4,a dog, running\nb.mp4,"a cat, sitting"\n')
    found = listing([str(tmp_path)]).clips
    assert found[0].fault and "3 cells for 2 columns: set a caption" in found[0].fault[1]
    assert found[1].caption == "a cat, sitting"


SIGNS = ("^", "~", "#", "\x01", "||", "::", "##", "<>", " - ", " => ", "   ", " ")


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.psv", "captions"])
@pytest.mark.parametrize("sign", SIGNS)
def test_any_sign_separates_columns(tmp_path: Path, sign: str, name: str):
    text = f"path{sign}caption\n1-a.mp4{sign}a dog runs\n2-b.mp4{sign}two cats\n"
    write(tmp_path, **{"1-a_dot_mp4": "x", "2-b_dot_mp4": "x"})
    (tmp_path / name).write_text(text)
    assert read_rows(tmp_path) == [("1-a.mp4", "a dog runs", None), ("2-b.mp4", "two cats", None)]


@pytest.mark.parametrize("sign", ["^", "~", ": ", " : ", "::", "->", " -> ", "=", "\x1f"])
def test_any_sign_stands_between_an_id_and_its_caption(tmp_path: Path, sign: str):
    write(tmp_path, a1B_dot_mp4="x", a2B_dot_mp4="x")
    write(tmp_path, x_dot_txt=f"a1B{sign}a dog\na2B{sign}two cats\n")
    assert read_rows(tmp_path) == [("a1B.mp4", "a dog", None), ("a2B.mp4", "two cats", None)]


def test_joined_tables_are_one(tmp_path: Path):
    """Each of them begins with a mark of order and the names of the columns."""
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    tables = [f"\ufeffPath;Caption\r\n{name}.mp4;{name} runs\r\n" for name in "ab"]
    (tmp_path / "x.csv").write_text("".join(tables))
    assert read_rows(tmp_path) == [("a.mp4", "a runs", None), ("b.mp4", "b runs", None)]
