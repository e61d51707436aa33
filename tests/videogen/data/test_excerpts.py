"""Tables with times name excerpts of films."""

import math
from pathlib import Path

import pytest
from listings import read_rows, write

from core.errors import UserError
from videogen.data.sources.listing import listing


def test_tables_with_times_name_excerpts(tmp_path: Path):
    """ActivityNet, YouCook2, Kinetics, InternVid, MSVD, Panda-70M and Charades-STA."""
    for name in ("v_1aB", "2aB", "3aB_000005_000015", "4aB_8_15"):
        write(tmp_path, **{f"{name}_dot_mp4": "x"})
    of = {
        "a.json": '{"v_1aB": {"duration": 9, "timestamps": [[0, 4.5], [4, 9]], '
        '"sentences": ["a dog", "a cat"]}}',
        "b.json": '{"database": {"1aB": {"annotations": [{"segment": [1, 3], "label": "run", '
        '"id": 7}]}}, "version": "1.3"}',
        "c.csv": "label,youtube_id,time_start,time_end,split\nrun,2aB,5,15,x\nsit,3aB,5,15,x\n",
        "d.csv": "VideoID,Start,End,Language,Description\n4aB,8,15,English,a cat\n",
        "e.jsonl": '{"YoutubeID": "2aB", "Start_timestamp": "00:00:01.500", '
        '"End_timestamp": "00:01:03.000", "Caption": "a dog"}\n',
        "f.csv": "videoID,timestamp,caption\n2aB,\"[['0:00:01.000', '0:00:03.000'], "
        "['0:00:03.000', '0:00:05.000']]\",\"['a dog', 'a cat']\"\n",
        "g.txt": "v_1aB 0.0 4.3##a dog runs.\n2aB 1 2##a cat, too.\n",
        "h.json": '[{"videoID": "2aB_000001_000011", "enCap": ["a dog"]}]',
    }
    expected = {
        "a.json": [("v_1aB.mp4", "a dog", (0, 4.5)), ("v_1aB.mp4", "a cat", (4, 9))],
        "b.json": [("v_1aB.mp4", "run", (1, 3))],
        "c.csv": [("2aB.mp4", "run", (5, 15)), ("3aB_000005_000015.mp4", "sit", None)],
        "d.csv": [("4aB_8_15.mp4", "a cat", None)],
        "e.jsonl": [("2aB.mp4", "a dog", (1.5, 63))],
        "f.csv": [("2aB.mp4", "a dog", (1, 3)), ("2aB.mp4", "a cat", (3, 5))],
        "g.txt": [("v_1aB.mp4", "a dog runs.", (0, 4.3)), ("2aB.mp4", "a cat, too.", (1, 2))],
        "h.json": [("2aB.mp4", "a dog", (1, 11))],
    }
    for name, text in of.items():
        (tmp_path / name).write_text(text)
        found = [clip for clip in listing([str(tmp_path)]).clips if not clip.fault]
        rows = [(Path(clip.name).name, clip.caption, clip.excerpt) for clip in found]
        assert rows == expected[name], name
        films = [clip.film for clip in found if not clip.excerpt]
        of_cuts = {"c.csv": [("3aB.mp4", 5)], "d.csv": [("4aB.mp4", 8)]}.get(name, [])
        assert films == [(str(tmp_path / film), begin) for film, begin in of_cuts]
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("columns", "times"),
    [
        ("start;end", "0,5;1,5"),
        ("start;end", "00:00:00,500;00:00:01,500"),
        ("start;stop", "0.5s;1.5 sec"),
        ("from;to", "0.5;1.5"),
        ("start_timestamp;stop_timestamp;start_frame;stop_frame", "0:00.5;0:01.5;30;90"),
        ("start;duration", "0.5;1"),
        ("start;end;duration", "0.5;1.5;60"),
        ("span", "['0.5', '1.5']"),
    ],
)
def test_times_are_read_in_other_columns_and_notations(tmp_path: Path, columns: str, times: str):
    """German Excel, subtitles, EPIC-KITCHENS and lists of shots."""
    write(tmp_path, a_dot_mp4="x", x_dot_csv=f"path;narration;{columns}\na.mp4;a dog;{times}\n")
    assert read_rows(tmp_path) == [("a.mp4", "a dog", (0.5, 1.5))]


def test_a_time_in_frames_is_answered_with_what_to_write(tmp_path: Path):
    """The rate of its frames is not in the table; the whole film would not be what is meant."""
    table = "path,caption,start,end\na.mp4,a dog,00:00:01:12,00:00:02:00\n"
    write(tmp_path, a_dot_mp4="x", x_dot_csv=table)
    fault = listing([str(tmp_path)]).clips[0].fault
    why = "'00:00:01:12' in column start is no time: write seconds, as 72.5 or 1:12.5"
    assert fault == ("times", f"row 2, a.mp4: {why}, or add a column fps")


def test_times_that_are_none_are_no_excerpt(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x", c_dot_mp4="x")
    table = "path,caption,start,end\na.mp4,one,,\nb.mp4,two,0,0\nc.mp4,three,2026-01-01,x\n"
    write(tmp_path, x_dot_csv=table)
    names = [("a.mp4", "one", None), ("b.mp4", "two", None), ("c.mp4", "three", None)]
    assert read_rows(tmp_path) == names
    write(tmp_path, x_dot_csv="path,caption,start,end\na.mp4,one,7,3\n")
    fault = listing([str(tmp_path)]).clips[0].fault
    assert fault == ("times", "row 2, a.mp4: its excerpt begins at 7 s and ends at 3 s")
    write(tmp_path, x_dot_csv="", x_dot_json='{"a": {"timestamps": [[0, 1], [1, 2]], '
          '"sentences": ["one", "two", "three"]}}')  # fmt: skip
    (tmp_path / "a.mp4").rename(tmp_path / "a1.mp4")
    (tmp_path / "x.json").write_text((tmp_path / "x.json").read_text().replace('"a"', '"a1"'))
    fault = listing([str(tmp_path)]).clips[0].fault
    assert fault == ("times", "row 1, a1.mp4: it has 2 times for 3 captions")


def test_a_row_without_an_end_leads_to_that_of_its_film_unless_another_begins(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    write(tmp_path, x_dot_csv="path,caption,start\na.mp4,one,2\nb.mp4,two,3\n")
    assert read_rows(tmp_path) == [
        ("a.mp4", "one", (2, math.inf)),
        ("b.mp4", "two", (3, math.inf)),
    ]
    write(tmp_path, x_dot_csv="path,caption,start\na.mp4,one,2\nb.mp4,x,0\na.mp4,two,9\n")
    with pytest.raises(
        UserError, match=r"row 2 says when its part of a\.mp4 begins, but not when"
    ):
        listing([str(tmp_path)])


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.jsonl"])
def test_times_in_an_unknown_unit_stop_whatever_the_table_is_called(tmp_path: Path, name: str):
    """Without them the whole film would be shown; without the table, its name."""
    table = "path,caption,start_tick,end_tick\na.mp4,a dog,96,192\n"
    if name == "x.jsonl":
        table = '{"path": "a.mp4", "caption": "a dog", "start_tick": 96, "end_tick": 192}\n'
    write(tmp_path, **{"a_dot_mp4": "x", name: table})
    with pytest.raises(UserError, match=r"start_tick and end_tick count: name them start and end"):
        listing([str(tmp_path)])


def test_times_may_lie_in_an_object_of_a_row(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x")
    write(tmp_path, x_dot_json='[{"video": {"path": "a.mp4", "start_ms": 500, "end_ms": 1500}, '
          '"caption": "a dog"}]')  # fmt: skip
    assert read_rows(tmp_path) == [("a.mp4", "a dog", (0.5, 1.5))]
    write(tmp_path, x_dot_json='[{"path": "a.mp4", "time": {"from": 1, "to": 2}, "text": "x"}]')
    assert read_rows(tmp_path) == [("a.mp4", "x", (1, 2))]
    write(tmp_path, x_dot_json='[{"path": "a.mp4", "captions": [{"start": 1, "end": 2, "text": '
          '"one"}, {"start": 2, "end": 3, "text": "two"}]}]')  # fmt: skip
    assert read_rows(tmp_path) == [("a.mp4", "one", (1, 2)), ("a.mp4", "two", (2, 3))]
