"""Manifests name clips of their folders and of others; other tables and texts are none."""

import gzip
import json
import time
from collections import Counter
from pathlib import Path

import pytest
from listings import clips, read_rows, write

from core.errors import UserError
from videogen.data.sources.listing import listing


def test_a_clip_of_a_faulty_row_is_rejected_once(folder: Path):
    write(folder, dogs__clips_dot_csv="path,caption\nrex.gif,\nmax.gif,max runs\n")
    found = listing([str(folder / "dogs")]).clips
    faults = [clip.fault for clip in found if clip.fault]
    assert len(found) == 2 and faults == [("no-caption", "row 2, rex.gif: the caption is empty")]


def test_the_report_of_an_evaluation_is_no_table_of_captions(folder: Path):
    """Its measures are called name, beginning and ending, as columns of excerpts are."""
    before = clips(folder)
    shown = {"beginning": 1.0, "ending": 0.5}
    counts = {"clips": 12, "captions": 10}
    rows = [{"name": "dogs", "kind": "generated", **counts, "seen": shown}]
    text = json.dumps({"rows": rows})
    write(folder, dogs__evaluation_dot_json=text, report__evaluation_dot_json=text)
    assert clips(folder) == before
    rows = [{"file_name": "rex.gif", "caption": "rex is walked"}]
    write(folder, dogs__evaluation_dot_json=json.dumps(rows))
    assert clips(folder)["dogs/rex.gif"] == ("rex is walked", "manifest"), "a table of a user"


def test_a_manifest_is_all_that_counts_in_its_folder(folder: Path):
    write(folder, dogs__clips_dot_csv="path,caption\nrex.gif,rex runs\n../../b.mkv,no\n")
    assert clips(folder) == {
        "dogs/rex.gif": ("rex runs", "manifest"),
        "dogs/clips.csv, row 3": ("path", None),
        "a_red_dog.mp4": ("a red dog", "name"),
        "b.mkv": ("two lines", "text"),
        "dogs/max.gif": ("no-caption", None),
    }
    assert clips(folder, "text")["dogs/max.gif"] == ("max", "text")
    assert clips(folder, "manifest")["b.mkv"] == ("no-caption", None)


def test_a_manifest_can_be_the_source(folder: Path):
    write(
        folder, x_dot_jsonl='{"path": "b.mkv", "caption": "one"}\n{"path": "b.mkv", "text": "two"}'
    )
    found = listing([str(folder / "x.jsonl")]).clips
    assert [(clip.name, clip.caption) for clip in found] == [
        (str(folder / "b.mkv"), "one"),
        (str(folder / "b.mkv"), "two"),
    ]
    write(folder, y_dot_csv="name,length\n1,2\n")
    with pytest.raises(UserError, match="is not a manifest"):
        listing([str(folder / "y.csv")])
    assert listing([str(folder)]).passed_over[".csv"] == 1


def test_a_table_names_clips_of_other_folders(tmp_path: Path):
    """Those that it does not name have no caption, as in its own folder."""
    write(tmp_path, annotations__x_dot_csv="path,caption\na.mp4,a dog\nvideos/b,a cat\n")
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", videos__c_dot_mp4="x")
    table = "annotations/x.csv"
    assert clips(tmp_path) == {
        "videos/a.mp4": ("a dog", "manifest"),
        "videos/b.mp4": ("a cat", "manifest"),
        "videos/c.mp4": ("no-caption", None),
    }
    write(tmp_path, other__a_dot_mp4="x", other__b_dot_mp4="x")
    found = clips(tmp_path)
    assert found[f"{table}, row 2"] == ("no-file", None), "which of the two is not known"
    assert found["videos/b.mp4"] == ("a cat", "manifest")


@pytest.mark.parametrize("root", ["..", "{}", "/home/bob/clips", "C:\\clips"])
def test_a_path_out_of_the_tables_folder_is_that_of_a_clip(tmp_path: Path, root: str):
    """Also one of another machine, whose end names the folder."""
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", meta__x_dot_csv="")
    rows = "".join(f"{root}/videos/{name}.mp4,{name} runs\n" for name in "ab")
    (tmp_path / "meta" / "x.csv").write_text("path,caption\n" + rows.format(*[tmp_path] * 2))
    assert {caption for caption, _ in clips(tmp_path).values()} == {"a runs", "b runs"}
    assert not listing([str(tmp_path)]).passed_over


@pytest.mark.parametrize("root", ["/home/bob", "C:\\clips"])
def test_a_path_of_another_machine_that_only_ends_in_a_name_is_refused(tmp_path: Path, root: str):
    """The clip does not get the name of its folder as caption."""
    rows = f"path,caption\n{root}/others/a.mp4,a runs\n"
    write(tmp_path, videos__a_dot_mp4="x", meta__x_dot_csv=rows)
    [clip] = listing([str(tmp_path)]).clips
    assert clip.fault and clip.fault[0] == "path"
    assert clip.fault[1].startswith("row 2, a.mp4: ")
    assert not listing([str(tmp_path)]).passed_over


def test_a_table_may_be_a_text_of_excel(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", notes_dot_txt="a.mp4 is mine", b_dot_mp4="x", b_dot_txt="cat")
    table = "path\tcaption\r\na.mp4\tein Hund\r\nb.mp4\teine Katze\r\n"
    (tmp_path / "Clips.txt").write_bytes(table.encode("utf-16"))
    assert clips(tmp_path) == {
        "a.mp4": ("ein Hund", "manifest"),
        "b.mp4": ("eine Katze", "manifest"),
    }
    assert len(listing([str(tmp_path / "Clips.txt")]).clips) == 2


def test_two_lists_are_a_manifest(folder: Path):
    write(folder, videos_dot_txt="b.mkv\ndogs/rex.gif\n", prompts_dot_txt="one\ntwo\n")
    found = listing([str(folder)])
    assert [(clip.caption, clip.origin) for clip in found.clips[:2]] == [
        ("one", "manifest"),
        ("two", "manifest"),
    ]
    assert {clip.fault[0] for clip in found.clips[2:] if clip.fault} == {"no-caption"}
    assert found.passed_over == Counter({".md": 1, ".txt": 2}), "side texts that are not used"
    [one, two] = listing([str(folder / "videos.txt")]).clips
    assert (one.caption, two.caption) == ("one", "two")


def test_a_table_names_clips_behind_links(tmp_path: Path):
    """A collection on another disk: links are followed, as they are without a table."""
    disk = write(tmp_path / "disk", rex_dot_gif="x", v1__1_dot_png="x", v1__2_dot_png="x")
    rows = "path,caption\nlinked/rex.gif,rex runs\nlinked\\v1,he runs\nMAX.gif,max sleeps\n"
    folder = write(tmp_path / "clips", clips_dot_csv=rows)
    (folder / "linked").symlink_to(disk)
    (folder / "max.gif").symlink_to(disk / "rex.gif")
    assert clips(folder) == {
        "linked/rex.gif": ("rex runs", "manifest"),
        "linked/v1": ("he runs", "manifest"),
        "max.gif": ("max sleeps", "manifest"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "dog/1.mp4 1\ndog/2.mp4 1\n",  # a split of UCF101, which has no captions
        "1 dog\n2 cat\n",  # names of classes
        "dog is a word\ncat is another\n",
        "dog/1.mp4 is the best of all\n",
        "dog/1.mp4 train\ndog/2.mp4 test\n",
        "dog/1.mp4: d41d8cd98f00b204e9800998ecf8427e\ndog/2.mp4: aaaad98f00b204e9800998ecf8427e\n",
        "dog/1.mp4 12.5 s\ndog/2.mp4 3 sec\n",
        "dog/1.mp4: cat/3.mp4\ndog/2.mp4: cat/3.mp4\n",
        "dog/1.mp4|val\ndog/2.mp4|train\n",
        "file 'dog/1.mp4'\nfile 'dog/2.mp4'\n",
    ],
)
def test_a_text_of_other_things_is_no_table(tmp_path: Path, text: str):
    write(tmp_path, dog__1_dot_mp4="x", dog__2_dot_mp4="x", cat__3_dot_mp4="x", list_dot_txt=text)
    assert {caption for caption, _ in clips(tmp_path).values()} == {"dog", "cat"}


@pytest.mark.parametrize("between", [" ", "|"])
def test_a_part_of_a_collection_is_no_caption(tmp_path: Path, between: str):
    parts = ("train", "Training", "test", "testing", "val", "valid", "validation", "dev")
    for part in parts:
        text = f"dog/1.mp4{between}{part}\ncat/2.mp4{between}{part}\n"
        folder = tmp_path / part
        folder.mkdir()
        write(folder, dog__1_dot_mp4="x", cat__2_dot_mp4="x", list_dot_txt=text)
        assert {caption for caption, _ in clips(folder).values()} == {"dog", "cat"}, part
        (folder / "list.txt").write_text(text.replace(f"{between}{part}", f"{between}{part}s run"))
        assert {caption for caption, _ in clips(folder).values()} == {f"{part}s run"}


def test_captions_without_a_list_of_their_clips_stop(tmp_path: Path):
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", prompts_dot_txt="one\ntwo\n")
    with pytest.raises(UserError, match=r"has 2 lines for 2 clips, .* write videos\.txt beside"):
        clips(tmp_path)
    assert clips(tmp_path, "folder")["videos/a.mp4"] == ("videos", "folder")
    write(tmp_path, videos__a_dot_txt="mine")
    assert clips(tmp_path)["videos/a.mp4"] == ("mine", "text")
    write(tmp_path, videos__a_dot_txt="", videos_dot_txt="videos/b.mp4\nvideos/a.mp4\n")
    assert clips(tmp_path)["videos/a.mp4"] == ("two", "manifest")


def test_rows_for_missing_files_are_looked_up_without_asking_the_disk_for_each(tmp_path: Path):
    for number in range(300):
        (tmp_path / f"id{number:06d}.mp4").touch()
    rows = "".join(f"id{number:06d},run,5,15\n" for number in range(3000))
    write(tmp_path, x_dot_csv=f"youtube_id,label,time_start,time_end\n{rows}")
    begin = time.process_time()
    found = listing([str(tmp_path)]).clips
    assert time.process_time() - begin < 20, "65 ms a row would be 175 s"
    assert sum(not clip.fault for clip in found) == 300 and len(found) == 3000


def test_a_clip_of_another_suffix_is_found_where_it_alone_can_be_meant(tmp_path: Path):
    """Films that were converted after the table was written."""
    write(tmp_path, a_dot_webm="x", clips__b_dot_MOV="x", c_dot_mkv="x", d_dot_mp4="x")
    write(tmp_path, d_dot_mov="x", e_dot_mov="x", f_dot_webm="x")
    rows = (
        "a.mp4,one\nclips/b.avi,two\nC.MP4,three\nd.avi,four\ne.mp4,five\ne.mov,own\nf.ogg,six\n"
    )
    write(tmp_path, x_dot_csv=f"path,caption\n{rows}")
    found = [(clip.caption, clip.other_name) for clip in listing([str(tmp_path)]).clips]
    assert found[:3] == [("one", "a.mp4"), ("two", "clips/b.avi"), ("three", "C.MP4")]
    faults = {clip.fault[1] for clip in listing([str(tmp_path)]).clips[:7] if clip.fault}
    assert faults == {
        "row 5: there is no file 'd.avi', but d.mov and d.mp4: name one of them",
        "row 6: there is no file 'e.mp4', and e.mov is that of another row",
        "row 8: there is no file 'f.ogg'",
    }
    only = [str(tmp_path / "a.webm")]
    assert [clip.caption for clip in listing(only).clips] == ["one"]


def test_a_text_whose_first_line_only_looks_like_that_of_a_table_is_none(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", README="video / caption\n\nThese are mine: see there.\n")
    assert clips(tmp_path) == {"a.mp4": ("a", "name")}


def test_addresses_name_the_files_that_were_downloaded(tmp_path: Path):
    write(tmp_path, **{"my clip_dot_mp4": "x", "a1B_dot_mp4": "x", "c_dot_mp4": "x"})
    rows = "https://x.org/v/my%20clip.mp4?dl=1,one\nhttps://youtube.com/watch?v=a1B&t=3,two\n"
    write(tmp_path, x_dot_csv=f"url,caption\n{rows}gs://mine/v/c.mp4,three\n")
    captions = [("my clip.mp4", "one"), ("a1B.mp4", "two"), ("c.mp4", "three")]
    assert [row[:2] for row in read_rows(tmp_path)] == captions


def test_a_collection_beside_its_clips_holds_no_table(tmp_path: Path):
    write(tmp_path, a1B_dot_mp4="x", out__prepare_dot_json="{}")
    write(tmp_path, out__index_dot_json='{"sources": ["a1B", "a1B.mp4"]}')
    assert clips(tmp_path) == {"a1B.mp4": ("a1B", "name")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", "caption\none\ntwo\n"),
        ("captions.json", '["one", "two"]'),
        ("prompts.txt", "one\n"),
        ("Prompts.TXT", "one\ntwo\nthree\n"),
        ("prompts.txt.gz", "one\ntwo\n"),
    ],
)
def test_a_list_of_captions_in_any_file_and_of_any_length_stops(
    tmp_path: Path, name: str, text: str
):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(UserError, match=r"has \d lines? for 2 clips, but nothing says which is"):
        listing([str(tmp_path)])
    write(tmp_path, captions__a_dot_txt="mine", captions__b_dot_txt="mine")
    assert {caption for caption, _ in clips(tmp_path).values()} == {"mine"}


def test_an_id_of_two_files_names_neither(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", a_dot_mov="x", x_dot_csv="path,caption\na,one\n")
    fault = "row 2: there is no file 'a', but a.mov and a.mp4: name one of them"
    assert ("no-file", fault) in [clip.fault for clip in listing([str(tmp_path)]).clips]


def test_a_table_and_a_link_to_it_are_one(tmp_path: Path):
    write(tmp_path, d__a_dot_mp4="x", x_dot_csv="path,caption\na.mp4,one\n")
    (tmp_path / "d" / "x.csv").symlink_to("../x.csv")
    assert [clip.caption for clip in listing([str(tmp_path)]).clips] == ["one"]


def test_names_may_be_written_as_in_addresses(tmp_path: Path):
    """A file that is so called on disk goes first."""
    write(tmp_path, **{"my dog_dot_mp4": "x", "my cat_dot_mp4": "x", "my%20cat_dot_mp4": "x"})
    write(tmp_path, d__café_dot_mp4="x")
    rows = "my%20dog.mp4,a dog\nmy%20cat.mp4,a cat\nd/caf%C3%A9.mp4,a bar\n%2e%2e/x.mp4,no\n"
    write(tmp_path, x_dot_csv=f"path,caption\n{rows}")
    assert clips(tmp_path) == {
        "my dog.mp4": ("a dog", "manifest"),
        "my%20cat.mp4": ("a cat", "manifest"),
        "d/café.mp4": ("a bar", "manifest"),
        "x.csv, row 5": ("no-file", None),
        "my cat.mp4": ("no-caption", None),
    }


@pytest.mark.parametrize("name", ["v", "v/", "v/f_%04d.png", "v/f_*.PNG", "v/f_####.png"])
def test_a_sequence_is_named_by_its_folder_or_by_a_pattern(tmp_path: Path, name: str):
    """FFmpeg, shells and programs of films write the names so."""
    write(tmp_path, v__f_0001_dot_png="x", v__f_0002_dot_png="x")
    write(tmp_path, clips_dot_csv=f"path,caption\n{name},a dog runs\n")
    assert clips(tmp_path) == {"v": ("a dog runs", "manifest")}
    write(tmp_path, clips_dot_csv="path,caption\nv/f#1.png,a dog runs\n")
    assert clips(tmp_path)["clips.csv, row 2"] == ("no-file", None)
