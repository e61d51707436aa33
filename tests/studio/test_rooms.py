"""The rooms without a browser: what their handlers make, show and refuse."""

import json
import logging
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import gradio as gr
import numpy as np
import pytest
from handmade import midi, note, program, signature

from core.data.preparation import Tick
from core.errors import ConfigError, Stopped, UserError
from core.files import locked, worker_in
from musegen.composition.composition import Composition
from musegen.files.midi import read_midi
from musegen.model import DOMAIN as MUSIC
from studio import child
from studio.components.clip_grid import clip_grid
from studio.components.curves import curves
from studio.components.messages import answering
from studio.components.songbook import UNTOUCHED
from studio.folder import StudioFolder, swept
from studio.following import Following
from studio.rooms import models, runs, songs
from studio.rooms.clips import ClipRoom
from studio.rooms.files import FileRoom
from studio.rooms.models import RECIPES, gallery, names_of, theory
from studio.rooms.runs import RunRoom
from studio.rooms.shots import NO_MUSIC
from studio.rooms.shots import Wishes as ClipWishes
from studio.rooms.songs import SongRoom
from studio.rooms.training import TrainRoom, status_of
from studio.rooms.wishes import AS_LEARNED, INSTRUMENTS, MOST_SONGS
from studio.rooms.wishes import Wishes as SongWishes
from videogen.model import Model as VideoModel

BOOK = {"songs": [], "open": "", **UNTOUCHED}
JUDGED = {"model": "note_transformer", "best_of": 2}
CIRCLE = "A small red circle is moving in a zigzag path towards north"
SQUARE = "A large blue square is moving in a straight line towards east"
READING = ["lakh", 16, "4/4", 3, 0, 32, 16, 8, "auto", "", "pad", "auto"]
"""The fields of the room of files that say how they are read, in order."""
TRACKS = ["drums", "piano", "guitar", "bass", "strings"]


def wishes(**changed: Any) -> list[Any]:
    """The fields of the room of songs, in order."""
    usual = SongWishes(
        model="latent_musegan",
        count=1,
        bars=2,
        seed=3,
        tracks=TRACKS,
        form="auto",
        tempo="100",
        temperature="",
        key=AS_LEARNED,
        density="normal",
        ending=False,
        best_of=1,
        voice=INSTRUMENTS,
        timbre=0,
        voiced=[],
    )
    return list(usual._replace(**changed))


def shots(**changed: Any) -> list[Any]:
    """The fields of the room of clips, in order."""
    usual = ClipWishes(
        model="shapes",
        captions=CIRCLE,
        count=1,
        seed=5,
        then="",
        into="",
        start=None,
        frames="",
        rate="",
        loop=False,
        music=NO_MUSIC,
        formats=[],
        scale="1",
        parts=False,
    )
    return list(usual._replace(**changed))


def last(steps: Iterator[Any]) -> Any:
    *_, final = steps
    return final


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> SongRoom:
    return SongRoom(StudioFolder.of(tmp_path_factory.mktemp("songs")))


@pytest.fixture(scope="module")
def book(room: SongRoom) -> dict[str, Any]:
    return last(room.make(BOOK, *wishes()))[0]


def bass_of(path: Path) -> list[list[int]]:
    notes = read_midi(path).notes.of(3)
    return np.stack([notes.start, notes.pitch, notes.length, notes.velocity]).tolist()


def sound_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])


def test_a_song_is_kept_with_all_that_the_page_shows(room: SongRoom, book: dict[str, Any]):
    song = room.folder.find(book["open"])
    assert [entry["id"] for entry in book["songs"]] == [book["open"]]
    kinds = {path.suffix for path in song.parent.iterdir()}
    assert {".mid", ".wav", ".flac", ".json"} <= kinds
    drawn = json.loads(song.with_suffix(".json").read_text())
    assert (drawn["bars"], drawn["tempo"], drawn["seconds"]) == (2, "100", [0, 2.4, 4.8])
    stems = {path.stem for path in (song.parent / f"{song.stem}-stems").iterdir()}
    assert stems == {track["name"].lower() for track in drawn["tracks"] if track["notes"]}
    bass = [[start * 12, pitch - 24] for start, _, pitch, _ in drawn["tracks"][3]["notes"]]
    assert np.round(bass).astype(int).T.tolist() == bass_of(song)[:2] != [[], []]


def test_a_song_of_the_users_begins_after_its_pickup_and_what_it_loses_is_said(
    room: SongRoom, tmp_path: Path
):
    """A note a beat, the first before the bar; all of them twice."""
    path = tmp_path / "song.mid"
    beats = b"".join(note(48 + beat, 480) for beat in range(9))
    path.write_bytes(midi(program(33) + beats, program(34, 2) + beats))
    opened, said = room.open_file(BOOK, str(path), "latent_musegan", 1, "kept")
    assert bass_of(room.folder.find(opened["open"]))[1] == [49 - 24 + beat for beat in range(8)]
    for words in ("song: 2 bars; left out: a pickup of 1 quarter note", "; 8 notes double others"):
        assert words in said
    with pytest.raises(ConfigError, match="quarter notes before the first bar: 0 to 16, not -1"):
        room.open_file(BOOK, str(path), "latent_musegan", -1, "kept")


def test_a_song_of_single_beats_is_opened_in_any_metre(room: SongRoom, tmp_path: Path):
    """Eight bars of 1/4 are two of 4/4."""
    path = tmp_path / "song.mid"
    beats = b"".join(note(48 + beat, 480) for beat in range(8))
    path.write_bytes(midi(signature(1, 2), program(33) + beats))
    with pytest.raises(UserError, match="the model's bars: --meter any"):
        room.open_file(BOOK, str(path), "latent_musegan", 0, "kept")
    opened, said = room.open_file(BOOK, str(path), "latent_musegan", 0, "any")
    assert bass_of(room.folder.find(opened["open"]))[1] == [48 - 24 + beat for beat in range(8)]
    assert "song: 2 bars" in said


@pytest.mark.slow
def test_a_locked_track_stays_note_for_note(room: SongRoom, book: dict[str, Any]):
    locked_bass = {**book, "locked": ["bass"]}
    after, _, seed = last(room.make_beside(locked_bass, *wishes(seed=9)))
    before, now = room.folder.find(book["open"]), room.folder.find(after["open"])
    assert before != now and seed == 10
    assert bass_of(before) == bass_of(now) != []
    assert read_midi(before).notes.pitch.tolist() != read_midi(now).notes.pitch.tolist()


def test_wishes_that_cannot_be_are_answered_with_a_sentence(room: SongRoom, book: dict[str, Any]):
    for sentence, steps in (
        ("open a song first", room.fill(BOOK, "1", *wishes())),
        ("lock the tracks", room.make_beside(book, *wishes())),
        ("all tracks are locked", room.make_beside({**book, "locked": TRACKS}, *wishes())),
        ("bars to compose", room.fill(book, " ", *wishes())),
        ("bars to add: 1 to", room.continue_song(book, 0, *wishes())),
        ("bars of each: 1 to", room.remix(book, "AB", 0, *wishes())),
        ("bars between: 1 to", room.lead(book, book["open"], 0, *wishes())),
        ("bars 5-9 cannot be filled", room.fill(book, "5-9", *wishes())),
        ("no such file", room.fill({**book, "open": "../../etc/passwd"}, "1", *wishes())),
        ("no run of that name", room.make(BOOK, *wishes(model="../x"))),
        (f"1 to {MOST_SONGS}, not 999", room.make(BOOK, *wishes(count=999))),
        ("bars: 1 to", room.make(BOOK, *wishes(bars=100_000))),
        ("bars: give a number", room.make(BOOK, *wishes(bars=None))),
        ("tempo: give a number", room.make(BOOK, *wishes(tempo="fast"))),
        ("tempo: 10 to 400", room.make(BOOK, *wishes(tempo="9000"))),
        ("is no key", room.make(BOOK, *wishes(key="H minor"))),
        ("seed", room.make(BOOK, *wishes(seed=-1))),
        ("strength: 0 to 1", room.vary(book, 7.0, *wishes())),
        ("order of the sections", room.remix(book, " ", 4, *wishes())),
        ("choose another song", room.lead(book, "", 4, *wishes())),
        ("choose another song", room.interpolate(book, "", *wishes())),
        ("no run of that name", room.play(book, *wishes(voice="../x"))),
        ("timbre: 0 to", room.play(book, *wishes(voice="fluid", timbre=-1))),
        ("best of, for 16 songs: 1 to 4, not 5", room.make(BOOK, *wishes(count=16, best_of=5))),
        ("use lookback_rnn or latent_musegan", room.make(BOOK, *wishes(**JUDGED))),
    ):
        with pytest.raises(UserError, match=sentence):
            last(steps)


def test_the_line_of_state_ends_with_what_the_terminal_says(
    room: SongRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each once, and with what it has come to: a track of which no note was composed."""
    path = tmp_path / "mine.mid"
    path.write_bytes(midi(signature(4, 2), program(0) + note(60, 1920) + note(62, 1920)))
    opened, _ = room.open_file(BOOK, str(path), "latent_musegan", 0, "kept")
    monkeypatch.setattr(Composition, "_silent", lambda *_: " for bass")
    _, said, _ = last(room.make_beside({**opened, "locked": ["piano", "drums"]}, *wishes(count=2)))
    assert said.startswith("2 made; mine.mid: ") and said.count("; ") == 3
    assert "nothing stays of drums" in said and said.count("no note was composed for bass") == 2
    _, varied, _ = last(room.vary(opened, 0.2, *wishes()))
    assert varied.startswith("latent_musegan varies mine: 1 made")


def test_a_clip_ends_with_what_the_terminal_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def shoot(*_: Any) -> None:
        logging.getLogger("pianoreel").warning("it does not begin with the picture")

    monkeypatch.setattr(ClipWishes, "shoot", shoot)
    *_, said, _ = last(ClipRoom(StudioFolder.of(tmp_path)).make(*shots(count=2)))
    assert said == "2 made; it does not begin with the picture"


def test_errors_are_shown_as_sentences_without_tags():
    @answering
    def fails() -> None:
        raise UserError("no track is called '<b>'")

    with pytest.raises(gr.Error) as shown:
        fails()
    assert shown.value.message == "no track is called &#x27;&lt;b&gt;&#x27;"


@pytest.mark.slow
def test_a_song_is_played_by_a_voice_note_for_note(room: SongRoom, book: dict[str, Any]):
    after, _, _ = last(room.play(book, *wishes(voice="fluid", timbre=3, voiced=["bass"])))
    before, now = room.folder.find(book["open"]), room.folder.find(after["open"])
    assert now.stem == f"{before.stem}-in-fluid-3" and now.read_bytes() == before.read_bytes()
    shares = {}
    for track in json.loads(now.with_suffix(".json").read_text())["tracks"]:
        if track["notes"]:
            name = f"{track['name'].lower()}.flac"
            one, other = (
                sound_of(path.parent / f"{path.stem}-stems" / name) for path in (before, now)
            )
            size = min(len(one), len(other))
            like = np.corrcoef(one[:size], other[:size])[0, 1]
            shares[track["name"]] = float(like)
    assert shares.pop("Bass") < 0.5 and min(shares.values()) > 0.999, shares


@pytest.mark.slow
def test_songs_are_remixed_joined_and_chosen(room: SongRoom, book: dict[str, Any]):
    before = room.folder.find(book["open"])
    steady = {"model": "lookback_rnn", "best_of": 2}
    remixed, _, _ = last(room.remix(book, "aba", 1, *wishes()))
    song = read_midi(room.folder.find(remixed["open"]))
    bar = [song.notes.start // 48 == number for number in range(3)]
    first, third = (
        np.stack([song.notes.start % 48, song.notes.pitch, song.notes.track])[:, bar[n]].tolist()
        for n in (0, 2)
    )
    assert song.bars == 3 and first == third != [[], [], []]
    led, _, _ = last(room.lead(book, remixed["open"], 2, *wishes(**steady)))
    joined = read_midi(room.folder.find(led["open"]))
    assert joined.bars == 2 + 2 + 3
    kept = joined.notes.start < 96
    assert sorted(joined.notes.pitch[kept]) == sorted(read_midi(before).notes.pitch)


@pytest.mark.slow
def test_a_sentence_becomes_a_clip(tmp_path: Path):
    room = ClipRoom(StudioFolder.of(tmp_path))
    shown, _, seed = last(room.make(*shots(parts=True, formats=["gif", "png-sequence"])))
    assert seed == 6
    (film,) = tmp_path.glob("clips/*/*.mp4")
    assert film.name.startswith("shapes-seed5-") and film.with_suffix(".txt").is_file()
    assert len(list(film.with_suffix("").glob("*.png"))) == 16
    shown = clip_grid(room.folder)
    assert CIRCLE in shown and "Layers" in shown and "frames" in shown and "autoplay" in shown


@pytest.mark.slow
def test_clips_change_return_and_sound(tmp_path: Path):
    room = ClipRoom(StudioFolder.of(tmp_path))
    last(room.make(*shots(captions=f"{CIRCLE}\n{SQUARE}", count=2)))
    (take,) = (tmp_path / "clips").iterdir()
    assert [path.name.split("-")[1] for path in sorted(take.glob("*.mp4"))] == [
        "seed5",
        "seed6",
        "seed7",
        "seed8",
    ]
    assert "4 clips" in clip_grid(room.folder)
    last(room.make(*shots(into=SQUARE, loop=True, music="lookback_rnn", frames="24")))
    (film,) = tmp_path.glob("clips/*/*into*.mp4")
    with av.open(str(film)) as opened:
        assert opened.streams.video[0].frames == 24
        assert [stream.type for stream in opened.streams] == ["video", "audio"]
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise([*frames, frames[0]])]
    assert steps[-1] <= 2 * max(steps[:-1])  # it ends as it begins
    assert clip_grid(room.folder).count("autoplay") == 4  # music is not played unasked


def test_clips_that_cannot_be_are_answered(tmp_path: Path):
    folder, model = StudioFolder.of(tmp_path), VideoModel.load("shapes", "cpu")
    for sentence, changed in (
        ("type a sentence", {"captions": " \n"}),
        ("clips: 1 to 16", {"captions": "a\n" * 20}),
        ("clips: 1 to 16", {"count": 17}),
        ("frames: 1 to 256", {"frames": "100000"}),
        ("sentences that follow: 0 to 8", {"then": "a\n" * 9}),
        ("at most 500 letters", {"captions": "a" * 501}),
        ("clips are not written as 'exe'", {"formats": ["exe"]}),
        ("not both", {"then": CIRCLE, "into": SQUARE}),
        ("no run of that name", {"music": "../x"}),
    ):
        asked = ClipWishes(*shots(**changed))
        with pytest.raises(UserError, match=sentence):
            asked.shoot(model, asked.takes(model)[0], asked.output(tmp_path), folder)


@pytest.mark.slow
def test_sentences_unlike_those_of_the_training_are_answered(tmp_path: Path):
    room = ClipRoom(StudioFolder.of(tmp_path))
    assert room.objections("shapes", CIRCLE, "", "") == ""
    assert "nearest" in room.objections("shapes", f"{CIRCLE}\na <purple> dog")
    assert "<purple>" not in room.objections("shapes", "", "a <purple> dog", "")


def test_files_are_read_or_answered_with_what_helps(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    room, batch = FileRoom(folder), "00000000000000ab"
    broken = folder.root / "uploads" / batch / "broken<b>.mid"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no music")
    dropped = {"batch": batch, "files": 1}
    fields = ["songs", *READING]
    report, line, _ = last(room.prepare(dropped, "mine", *fields))
    assert "no song could be kept of 1 file" in line
    assert "broken&lt;b&gt;.mid" in report and "<b>" not in report
    assert room.recognised(dropped, "clips")[0]["placeholder"] == "broken-b"
    assert room.recognised(dropped, "clips")[1] == "songs"
    broken.with_name("other.mid").write_bytes(b"")
    with pytest.raises(ConfigError, match="give the collection a name"):
        last(room.prepare(dropped, " ", *fields))
    for absent in ("../..", "0" * 16):
        with pytest.raises(UserError, match="drop files first"):
            last(room.prepare({"batch": absent, "files": 1}, "other", *fields))
    collections = folder.root / "collections"
    assert not (collections / "other").exists()
    (collections / "busy").mkdir()
    with (
        locked(collections / "busy"),
        pytest.raises(ConfigError, match="busy is still being read"),
    ):
        last(room.prepare(dropped, "busy", *fields))
    with pytest.raises(ConfigError, match="is no metre"):
        last(room.prepare(dropped, "other", *fields[:3], "five", *fields[4:]))


def test_files_of_another_kind_are_refused_by_the_names_they_were_dropped_with(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    room, batch = FileRoom(folder), folder.root / "uploads" / "00000000000000ab"
    batch.mkdir()
    (batch / "rex.mp4").write_bytes(b"")
    (batch / "clips.csv").write_text("colour,size\nrex.mp4,3\n")
    dropped = {"batch": batch.name, "files": 2}
    with pytest.raises(UserError, match=r"^no MIDI file in what you dropped$"):
        last(room.prepare(dropped, "mine", "songs", *READING))
    with pytest.raises(UserError, match=r"^clips\.csv names rex\.mp4, but is not understood"):
        last(room.prepare(dropped, "mine", "clips", *READING))
    assert list((folder.root / "collections").iterdir()) == []


def test_what_is_packed_is_recognised(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    room = FileRoom(folder)
    for number, (name, kind) in enumerate({"a dog/rex.MP4": "clips", "a.mid": "songs"}.items()):
        batch = folder.root / "uploads" / f"{number:016x}"
        batch.mkdir()
        with zipfile.ZipFile(batch / "mine.zip", "w") as packed:
            packed.writestr(name, b"")
        for before in ("clips", "songs"):
            found = room.recognised({"batch": batch.name, "files": 1}, before)
            assert (found[0]["placeholder"], found[1]) == ("mine", kind)


def test_a_collection_that_is_shown_stays_until_it_is_gone(tmp_path: Path):
    room = FileRoom(StudioFolder.of(tmp_path))
    for name in ("first", "second"):
        (tmp_path / "collections" / name).mkdir(parents=True)
    update, report = room.refresh("second")
    assert (update["choices"], "value" in update) == (["first", "second"], False)
    assert report == room.report("second")
    update, _ = room.refresh("gone")
    assert (update["choices"], update["value"]) == (["first", "second"], "first")


def test_what_is_stopped_leaves_no_empty_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stopped(*arguments: Any, **options: Any) -> Any:
        raise Stopped("stopped")

    folder = StudioFolder.of(tmp_path)
    with swept(folder.take("songs", "mine")) as take:
        (take / "mine.mid").write_bytes(midi(note(60, 480)))
        (take / "mine.json").touch()
    monkeypatch.setattr(songs, "replay", stopped)
    monkeypatch.setattr(ClipWishes, "shoot", stopped)
    book = {**BOOK, "open": folder.identity(take / "mine.mid")}
    for room in (SongRoom(folder).play(book, *wishes()), ClipRoom(folder).make(*shots())):
        with pytest.raises(Stopped):
            last(room)
    assert [path.name for path in tmp_path.glob("[sc]*s/*")] == [take.name]


def test_work_that_is_left_stops_at_its_next_report():
    ended: list[BaseException] = []

    def work(tick: Tick) -> None:
        try:
            for done in range(10**9):
                tick(done, 10**9)
        except Stopped as stop:
            ended.append(stop)
            raise

    following = Following(work)
    steps = following.steps()
    next(steps)
    assert following.share < 1
    steps.close()
    deadline = time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended


def test_curves_show_the_yardstick_first_and_leave_gaps_out():
    rows = [
        {"step": 10, "match_x": 3.0},
        {"step": 20, "match_x": None},
        {"step": 20, "distance": 0.5},
    ]
    shown = curves({"one": rows, "two": [{"step": 40, "distance": 0.25}]})
    assert shown.index("distance") < shown.index("match x")
    assert "one 0.5, two 0.25" in shown and "step 40" in shown and "nan" not in shown


def test_of_two_who_start_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Sleeper(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **options: Any):
            time.sleep(0.05)  # others look meanwhile whether one is at work
            self.args = command

        def poll(self) -> None:
            return None

    monkeypatch.setattr(child.subprocess, "Popen", Sleeper)
    monkeypatch.setattr(child, "_children", [])

    def begin(name: str) -> str:
        run = tmp_path / name
        try:
            child.start(run, ["music", "train", "--to", str(run)])
        except ConfigError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as users:
        said = sorted(users.map(begin, "abcd"))
    assert said[0] == "" and all("is being trained" in one for one in said[1:])


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    run = folder.runs / "one"
    run.mkdir()
    assert worker_in(run) is None
    with locked(run):
        assert worker_in(run) == os.getpid()
        with pytest.raises(ConfigError, match="one is being trained"):
            child.start(folder.runs / "two", ["music", "train"])
    assert worker_in(run) is None
    with pytest.raises(UserError, match="is not being trained"):
        child.stop(run)
    with pytest.raises(UserError, match="started in a terminal"):
        child.command_of(run)
    for strange in (["music", "sample", "--to", str(run)], ["music", "train", "--to", "/x"], 7):
        (run / "command.json").write_text(json.dumps(strange))
        with pytest.raises(UserError, match="no command that trains one"):
            child.command_of(run)


def test_wrong_wishes_start_no_training(tmp_path: Path):
    room = TrainRoom(StudioFolder.of(tmp_path))
    start = ("clips", "moving shapes, drawn as they are needed", "gist", "tiny", 1, 0)
    for sentence, name, fields in (
        ("give the run a name", " ", start),
        ("minutes: 0.01 to", "one", (*start[:4], 0, 0)),
        ("no model is called", "one", (*start[:2], "no", *start[3:])),
        ("no collection of that name", "one", ("songs", "../..", "vae", *start[3:])),
    ):
        with pytest.raises(UserError, match=sentence):
            room.start(*fields, "nothing, from the beginning", name)
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_state_of_a_run_says_what_its_time_will_reach(tmp_path: Path):
    run = StudioFolder.of(tmp_path).runs / "mine"
    run.mkdir()
    train = {"minutes": 10, "batch_size": 4}
    (run / "config.yaml").write_text(f"# pianoreel run, format 2\ntrain: {json.dumps(train)}\n")
    (run / "metrics.jsonl").write_text('{"step": 30, "match_x": 2.0, "seconds": 60}\n{"step": 3')
    command = ["music", "train", "data", "--to", str(run)]
    command += ["--model", "lookback_rnn", "--preset", "small"]
    (run / "command.json").write_text(json.dumps(command))
    lines = (
        "a <warning>",
        f"stopped after step 30; the same command resumes in {run}",
        f"trained: {run}; sample from it with: pianoreel music sample {run}",
    )
    (run / "log.txt").write_text("\n".join(lines))
    state = status_of(run)
    assert "stopped after step 30; “Go on” resumes it<" in state
    assert "trained: mine; choose it in Songs or Clips to make some<" in state
    assert "step 30 of about 300" in state and "0.5 steps a second" in state
    assert "about 9 minutes to go" in state and "300 steps are few" in state
    assert "&lt;warning&gt;" in state and "not being trained" in state
    (run / "config.yaml").write_text("# pianoreel run, format 2\ntrain: {minutes: 2}\n")
    assert "about 1 minute to go" in status_of(run)


def test_runs_stand_side_by_side(tmp_path: Path):
    folder = StudioFolder.of(tmp_path / "work", tmp_path / "compared" / "runs")
    for name, rate in (("a", 1), ("b", 2)):
        (folder.runs / name).mkdir()
        text = f"# pianoreel run, format 2\nmodel:\n  rate: {rate}\n  size: 3\n"
        (folder.runs / name / "config.yaml").write_text(text)
    rows = [{"name": "a", "all": 0.5, "x": {"y": 1}}, {"name": "b", "all": 0.25}, {"name": "c"}]
    (tmp_path / "compared" / "evaluation.json").write_text(json.dumps({"rows": rows}))
    room = RunRoom(folder)
    assert room.evaluations(["a", "b"]) == {
        "all": {"a": "0.5", "b": "0.25"},
        "x.y": {"a": "1", "b": ""},
    }
    shown = room.compare(["a", "b"])
    assert "model.rate" in shown and "model.size" not in shown
    with pytest.raises(UserError, match="no run of that name"):
        room.compare(["../work"])


def test_runs_are_measured_against_whole_collections_of_their_own_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = StudioFolder.of(tmp_path)
    for name in ("a song", "clips", "songs", "half"):
        (folder.root / "collections" / name).mkdir()
    for name in ("of songs", "of clips", "begun"):
        (folder.runs / name).mkdir()
    whole = {"music": ("a song", "songs"), "video": ("clips",)}
    of_one = {"of songs": "music", "of clips": "video"}
    found = lambda domain, path: path.name if path.name in whole[domain.name] else None  # noqa: E731
    trained = lambda folder, domain, name: of_one.get(name) == domain.name  # noqa: E731
    monkeypatch.setattr(models, "digest_of", found)
    monkeypatch.setattr(runs, "is_trained", trained)
    room = RunRoom(folder)
    for chosen, offered in (
        (["of songs"], ["a song", "songs"]),
        (["of clips"], ["clips"]),
        (["of songs", "of clips"], []),
        (["begun"], []),
        ([], []),
    ):
        against, _ = room.choose(chosen, "songs")
        assert against["choices"] == [runs.OF_TRAINING, *offered]
        assert ("value" in against) == ("songs" not in offered)
    assert room.refresh(["of clips"], "songs")[1]["choices"] == [runs.OF_TRAINING, "clips"]


def test_every_model_stands_in_the_gallery():
    assert theory().keys() == RECIPES.keys()
    shown = gallery()
    assert [name for name in RECIPES if f"<code>{name}</code>" not in shown] == []
    found = gallery("Arjovsky clipped")
    assert "<code>wgan</code>" in found and "<code>vae</code>" not in found
    assert "No model" in gallery("no such words at all")


def test_a_run_that_was_shared_is_offered_until_it_is_gone(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    run = folder.runs / "shared"
    shutil.copytree(MUSIC.folder("latent_musegan"), run)
    assert names_of(folder, MUSIC)[-1] == "shared"
    shutil.rmtree(run / "checkpoints")
    assert "shared" not in names_of(folder, MUSIC)
    with pytest.raises(UserError, match="holds no checkpoint yet"):
        SongRoom(folder).model("shared")
