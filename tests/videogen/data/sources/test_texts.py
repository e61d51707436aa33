"""Texts lie beside clips, in folders of their own, and in those of clips."""

from collections import Counter
from pathlib import Path

import pytest
from listings import clips, of, write

from core.errors import UserError
from videogen.data.sources.listing import listing
from videogen.files.tree import Tree


def test_texts_lie_in_a_folder_of_their_own_or_in_that_of_a_clip(tmp_path: Path):
    """Texts of videos, as of CogVideoX, and of frames; one of several clips is no caption."""
    folder = write(
        tmp_path / "x",
        videos__1_dot_mp4="x",
        videos__2_dot_mp4="x",
        Labels__1_dot_TXT="a dog runs",
        videos__caption_dot_txt="of none",
        frames__v1__1_dot_png="x",
        frames__v1__2_dot_png="x",
        frames__v1__caption_dot_txt="he runs",
        frames__v2__1_dot_png="x",
        frames__v2__2_dot_png="x",
        captions__v2_dot_txt="she runs",
        rex__clip_dot_gif="x",
        rex__prompt_dot_txt="rex runs",
    )
    assert clips(folder) == {
        "videos/1.mp4": ("a dog runs", "text"),
        "videos/2.mp4": ("videos", "folder"),
        "frames/v1": ("he runs", "text"),
        "frames/v2": ("she runs", "text"),
        "rex/clip.gif": ("rex runs", "text"),
    }
    assert listing([str(folder)]).passed_over == Counter({".txt": 1})


def test_names_of_clips_and_texts_may_differ_in_case(tmp_path: Path):
    folder = write(tmp_path / "x", REX_dot_MP4="x", REX_dot_TXT="one", max_dot_mov="x")
    write(folder, max_dot_TXT="two", moe_dot_mp4="x", moe_dot_mp4_dot_txt="three")
    write(folder, meg_dot_mp4="x", meg_dot_caption="four", max_dot_mp4="x")
    assert {name: text for name, (text, _) in clips(folder).items()} == {
        "REX.MP4": "one",
        "max.mov": "two",
        "max.mp4": "two",
        "moe.mp4": "three",
        "meg.mp4": "four",
    }
    assert not listing([str(folder)]).passed_over
    assert of(listing([str(folder / "REX.MP4")]), folder) == {"REX.MP4": ("one", "text")}


def test_texts_of_many_clips_are_looked_up_only_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked, find = [], Tree.find
    monkeypatch.setattr(Tree, "find", lambda tree, place: asked.append(place) or find(tree, place))
    write(tmp_path, **{f"{number}_dot_mp4": "x" for number in range(100)})
    assert len(listing([str(tmp_path)]).clips) == 100
    assert len(asked) < 100 * 20, "in each folder they would be 120 a clip"


@pytest.mark.parametrize(
    "text", ["annotations/a.txt", "a_caption.txt", "videos/a.prompt.txt", "x/y/A (Text).caption"]
)
def test_a_text_that_is_named_after_a_clip_and_is_not_read_stops(tmp_path: Path, text: str):
    """The name of the folder would be the caption in its place."""
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", videos__b_dot_txt="a cat")
    (tmp_path / text).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / text).write_text("a dog runs")
    with pytest.raises(UserError, match=r"seems to be the caption of a\.mp4, .* name it a\.txt"):
        listing([str(tmp_path)])
    assert clips(tmp_path, "folder")["videos/a.mp4"] == ("videos", "folder")
    write(tmp_path, videos__a_dot_json='{"caption": "a fox"}')
    assert clips(tmp_path)["videos/a.mp4"] == ("a fox", "text")
    write(tmp_path, clips_dot_csv="path,caption\na.mp4,a dog\nb.mp4,a cat\n")
    assert clips(tmp_path)["videos/a.mp4"] == ("a dog", "manifest")


@pytest.mark.parametrize(
    ("text", "holds", "cure"),
    [
        ("a.srt", "1\n00:00:00,000 --> 00:00:02,000\na dog\n", "write its text into a.txt"),
        ("subs/a.en.vtt", "WEBVTT\n", "write its text into a.txt"),
        ("a.pdf", "%PDF-1.7", "write its text into a.txt"),
        ("a.html", "<p>a dog runs</p>", "write its text into a.txt"),
        ("a.log", "a dog runs, and barks", "write its text into a.txt"),
        ("a.description", "a dog runs", "write its text into a.txt"),
        ("a.tags", "dog, running", "write its text into a.txt"),
        ("notes/a.json", '{"caption": "a dog"}', "name it a.json"),
        ("a.info.json", '{"title": "Rex", "ext": "mp4"}', "name it a.json"),
    ],
)
def test_words_of_any_kind_that_are_named_after_a_clip_stop(
    tmp_path: Path, text: str, holds: str, cure: str
):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x", b_dot_txt="a cat", b_dot_log="ok done")
    assert clips(tmp_path)["a.mp4"] == ("a", "name")
    (tmp_path / text).parent.mkdir(exist_ok=True)
    (tmp_path / text).write_text(holds)
    with pytest.raises(UserError, match=rf"seems to be the caption of a\.mp4, .*: {cure}"):
        listing([str(tmp_path)])
    assert clips(tmp_path, "name")["a.mp4"] == ("a", "name")


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("a.md5", "d41d8cd98f00b204e9800998ecf8427e  a.mp4"),
        ("a.aae", "<plist><dict><key>adjustmentData</key></dict></plist>"),
        ("a.url", "[InternetShortcut]\nURL=https://example.org/a"),
        ("a.license", "All rights reserved"),
        ("a.pose", "0.5 0.25 0.125"),
        ("a.lrv", "\0\0 moov"),
        ("poses/a.json", '{"points": [1, 2]}'),
    ],
)
def test_data_that_are_named_after_a_clip_stop_nothing(tmp_path: Path, name: str, holds: str):
    write(tmp_path, a_dot_mp4="x")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(holds)
    assert clips(tmp_path)["a.mp4"] == ("a", "name")


def test_a_page_or_a_log_that_lists_clips_is_a_table(tmp_path: Path):
    """One that plays or mentions a clip is none."""
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x", run_dot_log="12:05 wrote a.mp4, all is well\n")
    write(tmp_path, index_dot_html="<video src='a.mp4'></video><p>my dog</p>")
    assert clips(tmp_path)["a.mp4"] == ("a", "name")
    table = "<table><tr><td>a.mp4</td><td>a dog</td></tr></table>"
    (tmp_path / "index.html").write_text(table)
    with pytest.raises(UserError, match=r"index\.html names a\.mp4, .*: save it as CSV: \.html"):
        listing([str(tmp_path)])
    write(tmp_path, index_dot_html="", captions_dot_log="a.mp4: a dog\nb.mp4: a cat\n")
    assert clips(tmp_path)["b.mp4"] == ("a cat", "manifest")


def test_facts_lie_in_a_folder_for_texts(tmp_path: Path):
    write(tmp_path, clips__a_dot_mp4="x", captions__a_dot_json='{"caption": "a dog"}')
    assert clips(tmp_path) == {"clips/a.mp4": ("a dog", "text")}


def test_texts_about_other_things_stop_nothing(tmp_path: Path):
    write(tmp_path, dogs__a_dot_mp4="x", cats__a_dot_mp4="x", cats__a_dot_txt="a cat")
    write(tmp_path, cats__a_dot_log="it is done")
    write(tmp_path, README_dot_txt="x", dogs__a_licence_dot_txt="x", dogs__notes_dot_txt="x")
    assert clips(tmp_path) == {"dogs/a.mp4": ("dogs", "folder"), "cats/a.mp4": ("a cat", "text")}
