"""The page of results: what it holds, and as a browser shows it from the disk."""

import json
import os
import re
import shutil
from pathlib import Path
from threading import Thread

import numpy as np
import pretty_midi
import pytest
from handmade import meta, midi, note

from core.errors import UserError
from gallery.page import Song, write_gallery
from musegen.files.audio import wav

SECONDS = 2.5


def write_song(path: Path) -> None:
    """Three notes of a piano and two drums, with sound of two and a half seconds."""
    midi = pretty_midi.PrettyMIDI()
    piano = pretty_midi.Instrument(0, name="Grand </script> Piano")
    drums = pretty_midi.Instrument(0, is_drum=True, name="Drums")
    piano.notes = [pretty_midi.Note(90, 60 + 4 * n, n / 2, n / 2 + 0.25) for n in range(3)]
    drums.notes = [pretty_midi.Note(100, 36, 0.0, 0.1), pretty_midi.Note(80, 38, 1.0, 1.1)]
    midi.instruments += [piano, drums]
    midi.write(str(path))
    silence = np.zeros((2, int(SECONDS * 44_100)), np.float32)
    path.with_suffix(".wav").write_bytes(wav(silence))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "my <results>"
    (folder / "clips").mkdir(parents=True)
    write_song(folder / "a song #1.mid")
    (folder / "clips" / "dog.gif").write_bytes(b"GIF89a")
    (folder / "clips" / "dog.mp4").write_bytes(b"mp4")
    (folder / "clips" / "dog.txt").write_text("a dog & a cat <run>\n")
    (folder / "about.txt").write_text("Two results,\nnot <chosen>.\n\nMade today.\n")
    rows = [{"name": "vae", "kind": "generated", "total": 0.12345, "copies": None}]
    (folder / "evaluation.json").write_text(json.dumps({"rows": rows}))
    return folder


@pytest.fixture(scope="module")
def page(folder) -> Path:
    (path,) = write_gallery(folder, folder.parent / "page")
    return path


def test_the_page_has_the_notes_of_a_song_in_seconds(page):
    text = page.read_text()
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', text)
    song = json.loads(data)
    assert song["tracks"] == ["Grand </script> Piano", "Drums"]
    assert song["drums"] == [1]
    assert sorted(song["notes"], key=lambda note: (note[4], note[0])) == [
        [0.0, 0.25, 60, 90, 0],
        [0.5, 0.25, 64, 90, 0],
        [1.0, 0.25, 68, 90, 0],
        [0.0, 0.1, 36, 100, 1],
        [1.0, 0.1, 38, 80, 1],
    ]


def test_the_page_holds_its_files_and_escapes_what_they_say(page):
    files = {path.name for path in page.parent.iterdir()}
    assert files == {"index.html", "a song #1.mid", "a song #1.wav", "dog.mp4"}
    text = page.read_text()
    assert "<title>my &lt;results&gt;</title>" in text
    assert "a dog &amp; a cat &lt;run&gt;</figcaption>" in text
    assert "<p>Two results,\nnot &lt;chosen&gt;.</p>\n<p>Made today.</p>" in text
    assert 'src="a%20song%20%231.wav"' in text
    assert "<td>vae</td><td>generated</td><td>0.123</td><td>-</td>" in text
    assert "http" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_the_same_folder_can_be_the_page(folder, tmp_path):
    shutil.copytree(folder, own := tmp_path / "own")
    (path,) = write_gallery(own, own, title="Mine")
    assert "<h1>Mine</h1>" in path.read_text()
    assert (own / "dog.mp4").read_bytes() == b"mp4"


def test_what_cannot_be_shown_is_named(tmp_path):
    with pytest.raises(UserError, match="has nothing to show"):
        list(write_gallery(tmp_path, tmp_path / "page"))
    with pytest.raises(UserError, match="is no folder"):
        list(write_gallery(tmp_path / "absent", tmp_path / "page"))
    (tmp_path / "evaluation.json").write_text("[]")
    with pytest.raises(UserError, match="is no evaluation"):
        list(write_gallery(tmp_path, tmp_path / "page"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_song(tmp_path / name / "same.mid")
    with pytest.raises(UserError, match=r"would both be called same\.mid: leave one out"):
        list(write_gallery(tmp_path, tmp_path))
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "a" / "same.mid").write_bytes(b"no midi")
    with pytest.raises(UserError, match="no MIDI header"):
        list(write_gallery(tmp_path, tmp_path / "page"))


def test_files_of_one_name_have_the_names_of_their_folders(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("a", "b"):
        write_song(tmp_path / "runs" / name / "same.mid")
        (tmp_path / "runs" / name / "clip.mp4").write_bytes(name.encode())
    write_song(tmp_path / "runs" / "c" / "other.mid")
    (path,) = write_gallery(tmp_path / "runs", page := tmp_path / "page")
    same = {f"{name}-same.{end}" for name in "ab" for end in ("mid", "wav")}
    clips = {"a-clip.mp4", "b-clip.mp4"}
    assert {one.name for one in page.iterdir()} == {
        *same,
        *clips,
        "other.mid",
        "other.wav",
        "index.html",
    }
    assert (page / "b-clip.mp4").read_bytes() == b"b"
    text = path.read_text()
    assert all(f'="{name}"' in text for name in (*same, *clips))
    assert "<h3>a-same</h3>" in text and "<figcaption>b-clip</figcaption>" in text


def test_files_that_a_page_shows_no_longer_are_named(tmp_path, caplog):
    """They stay: a page that was made in the folder of its songs has them nowhere else."""
    for name in ("one", "two #2"):
        (tmp_path / name).mkdir()
        write_song(tmp_path / name / f"{name}.mid")
    to = tmp_path / "page"
    list(write_gallery(tmp_path / "two #2", to))
    assert not caplog.records
    (to / "notes.txt").write_text("of the user's")
    list(write_gallery(tmp_path / "one", to))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"{to / 'index.html'} no longer shows two #2.mid, two #2.wav, which"
    )
    assert (to / "two #2.wav").is_file()
    list(write_gallery(tmp_path / "one", to))
    assert len(caplog.records) == 1


def test_a_page_that_is_renewed_is_read_once(folder, tmp_path, monkeypatch):
    """Its songs make it large."""
    (page,) = write_gallery(folder, tmp_path / "page")
    read, read_text = [], Path.read_text

    def reading(path: Path, *options: str, **others: str) -> str:
        read.append(path)
        return read_text(path, *options, **others)

    monkeypatch.setattr(Path, "read_text", reading)
    list(write_gallery(folder, page.parent))
    assert read.count(page) == 1


@pytest.mark.parametrize("kind", ["a.mid", "a.gif", "evaluation.json"])
def test_songs_or_clips_or_tables_make_a_page(tmp_path, kind):
    write_song(tmp_path / "a.mid")
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    (tmp_path / "evaluation.json").write_text('{"rows": [{"name": "x"}]}')
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tmp_path / kind, alone)
    (path,) = write_gallery(alone, tmp_path / "page")
    headings = re.findall(r"<h2>(.*?)</h2>", path.read_text())
    assert headings == [{"a.mid": "Songs", "a.gif": "Clips"}.get(kind, "Tables")]


def test_a_table_has_the_name_of_the_folder_where_it_lies_below(tmp_path):
    for folder in (tmp_path, tmp_path / "one" / "two & three"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").write_text(
            json.dumps({"rows": [{"long_name": 7, "more": {"a": 1}}, {}]})
        )
    (path,) = write_gallery(tmp_path, tmp_path / "page")
    tables = re.findall(r"<table>(.*?)</table>", path.read_text())
    head = "<tr><th>long name</th></tr><tr><td>7</td></tr><tr><td>-</td></tr>"
    assert tables == [head, f"<caption>one/two &amp; three</caption>{head}"]


def test_notes_are_in_milliseconds_and_the_first_are_drawn(tmp_path, monkeypatch):
    midi = pretty_midi.PrettyMIDI(resolution=960, initial_tempo=90)
    midi.instruments.append(pretty_midi.Instrument(0))
    for n in range(1, 4):
        midi.instruments[0].notes.append(pretty_midi.Note(70, 60 + n, n / 3, n / 3 + 2 / 3))
    midi.write(str(tmp_path / "a.mid"))
    monkeypatch.setattr("gallery.page.MOST_NOTES", 2)
    song = Song(tmp_path / "a.mid", None)
    assert song.roll() == {
        "tracks": ["Track 1"],
        "drums": [],
        "notes": [[0.333, 0.667, 61, 70, 0], [0.667, 0.667, 62, 70, 0]],
    }
    shown = song.html({song.midi: "<a>.mid"})
    assert "<audio" not in shown
    assert '<p class="files"><a href="%3Ca%3E.mid" download>mid</a></p>' in shown
    assert "<h3>&lt;a&gt;</h3>" in shown


def test_songs_of_other_programs_are_shown_as_every_command_reads_them(tmp_path):
    """Names in Latin-1 and Shift-JIS, an unknown mode of a key, and a song without a note."""
    names = ("Fl\xf6te".encode("latin-1"), "ピアノ".encode("cp932"))
    voices = [meta(0x03, name) + note(60, 480) for name in names]
    (tmp_path / "a.mid").write_bytes(midi(meta(0x59, b"\xff\xff"), *voices))
    (tmp_path / "silent.mid").write_bytes(midi(b""))
    assert Song(tmp_path / "a.mid", None).roll() == {
        "tracks": ["Fl\xf6te", "ピアノ"],
        "drums": [],
        "notes": [[0.0, 0.5, 60, 100, 0], [0.0, 0.5, 60, 100, 1]],
    }
    (page,) = write_gallery(tmp_path, tmp_path / "page")
    assert page.read_text().count('<article class="song">') == 2


def test_a_clip_without_a_sentence_has_its_name_and_the_first_sound_is_played(tmp_path):
    (tmp_path / "cat & dog.gif").write_bytes(b"GIF89a")
    (tmp_path / "about.txt").write_bytes("of a café".encode("latin-1"))
    write_song(tmp_path / "a.mid")
    for end in ("ogg", "mp3"):
        (tmp_path / f"a.{end}").write_bytes(b"sound")
    (path,) = write_gallery(tmp_path, tmp_path / "page")
    text = path.read_text()
    assert '<img src="cat%20%26%20dog.gif" alt="cat &amp; dog">' in text
    assert "<figcaption>cat &amp; dog</figcaption>" in text
    assert "<p>of a caf\ufffd</p>" in text
    assert re.findall(r'<audio.*? src="(.*?)"', text) == ["a.mp3"]
    assert {"a.ogg", "a.wav"}.isdisjoint(one.name for one in path.parent.iterdir())


@pytest.mark.slow
def test_a_browser_shows_the_page_from_the_disk(page, browser):
    tab = browser.new_page(viewport={"width": 900, "height": 700})
    tab.set_default_timeout(120_000)
    faults, asked = [], []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_function("document.querySelector('audio').readyState > 0")
    length = tab.evaluate("document.querySelector('audio').duration")
    assert abs(length - SECONDS) < 0.01
    canvas = tab.locator("canvas")
    assert canvas.get_attribute("data-notes") == "5"
    painted = """canvas => {
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        const columns = new Set();
        for (let at = 3; at < data.length; at += 4) if (data[at]) columns.add((at >> 2) % width);
        return [...columns].map((column) => column / width).sort((a, b) => a - b);
    }"""
    columns = np.array(canvas.evaluate(painted)) * SECONDS
    for start, end in ((0, 0.25), (0.5, 0.75), (1, 1.25)):
        inside = columns[(columns > start - 0.01) & (columns < end + 0.01)]
        assert abs(inside.min() - start) < 0.02 and abs(inside.max() - end) < 0.03
    assert not len(columns[columns > 1.3])
    tab.get_by_role("button", name="Drums").click()
    assert canvas.get_attribute("data-notes") == "3"
    box = canvas.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + 5)
    moved = tab.evaluate("document.querySelector('audio').currentTime")
    assert abs(moved - 0.4 * SECONDS) < 0.02
    assert faults == []
    assert all(url.startswith("file://") for url in asked)


def test_a_page_is_renewed_and_other_files_are_not_written_over(folder, tmp_path):
    (page,) = write_gallery(folder, tmp_path / "page")
    (page.parent / "dog.mp4").write_bytes(b"an older take")
    assert list(write_gallery(folder, page.parent)) == [page]
    assert (page.parent / "dog.mp4").read_bytes() == b"mp4"
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("index.html", "dog.mp4"):
        (mine / name).write_text("mine")
        with pytest.raises(UserError, match=f"{name} is there and holds something else"):
            list(write_gallery(folder, mine))
        assert [path.read_text() for path in mine.iterdir()] == ["mine"], "nothing is added"
        (mine / name).unlink()
    (mine / "dog.mp4").write_text("mine")
    list(write_gallery(folder, mine, overwrite=True))
    assert (mine / "dog.mp4").read_bytes() == b"mp4"
    (page.parent / "dog.mp4").unlink()
    (page.parent / "dog.mp4").mkdir()
    with pytest.raises(UserError, match="holds something else"):
        list(write_gallery(folder, page.parent))


def test_of_two_pages_that_are_written_to_one_folder_at_once_one_waits(
    tmp_path, monkeypatch, caplog
):
    """The later one knows the earlier, and names what it shows no longer."""
    first, second, to = (tmp_path / name for name in ("first", "second", "page"))
    for folder, name in ((first, "dog.gif"), (second, "cat.gif")):
        folder.mkdir()
        (folder / name).write_bytes(b"GIF89a")
    other, copy = Thread(target=lambda: list(write_gallery(second, to))), shutil.copyfile

    def copy_late(source: Path, path: Path) -> None:
        monkeypatch.undo()
        other.start()
        other.join(0.2)
        copy(source, path)

    monkeypatch.setattr(shutil, "copyfile", copy_late)
    list(write_gallery(first, to))
    other.join()
    assert "cat.gif" in (to / "index.html").read_text()
    assert [message.split(",")[0] for message in caplog.messages] == [
        f"{to / 'index.html'} no longer shows dog.gif"
    ]


def test_a_page_below_the_folder_is_not_shown_in_the_next(folder, tmp_path):
    shutil.copytree(folder, own := tmp_path / "own")
    first = next(write_gallery(own, own / "page")).read_text()
    assert next(write_gallery(own, own / "page")).read_text() == first


def test_what_is_refused_writes_nothing(tmp_path):
    write_song(tmp_path / "a.mid")
    (tmp_path / "b.mid").write_bytes(b"no midi")
    with pytest.raises(UserError, match=r"b\.mid: no MIDI header"):
        list(write_gallery(tmp_path, tmp_path / "page"))
    assert not (tmp_path / "page").exists()
    (tmp_path / "b.mid").unlink()
    (tmp_path / "evaluation.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is no evaluation"):
        list(write_gallery(tmp_path, tmp_path / "page"))


def test_names_that_are_no_utf_8_and_texts_that_are_no_files_are_shown(tmp_path):
    folder = tmp_path / "songs"
    (folder / "dog.txt").mkdir(parents=True)
    (folder / "dog.gif").write_bytes(b"GIF89a")
    (folder / "loop.gif").symlink_to("loop.gif")
    (folder / os.fsdecode(b"caf\xe9.gif")).write_bytes(b"GIF89a")
    text = next(write_gallery(folder, tmp_path / "page")).read_text("utf-8")
    assert re.findall(r"<img src=\"(.*?)\"", text) == ["caf%E9.gif", "dog.gif"]
    assert re.findall(r"<figcaption>(.*?)</figcaption>", text) == ["caf?", "dog"]
    assert (tmp_path / "page" / os.fsdecode(b"caf\xe9.gif")).exists()
