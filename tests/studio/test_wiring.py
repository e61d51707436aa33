"""The wires of the page: what its fields hold, and what a deed asks of the program."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.config import MAX_SEED
from core.errors import ConfigError, UserError
from musegen.composition.request import Request
from musegen.model import DOMAIN as MUSIC
from musegen.steering import Steering
from musegen.tonality import Key
from studio import child
from studio.components.curves import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, curves
from studio.components.markup import FIELDS, in_page
from studio.components.messages import state
from studio.components.songbook import UNTOUCHED, shelf, with_songs
from studio.folder import StudioFolder
from studio.page import page
from studio.rooms import files, runs, songs
from studio.rooms.files import FileRoom
from studio.rooms.models import gallery
from studio.rooms.runs import RunRoom
from studio.rooms.shots import NO_MUSIC
from studio.rooms.shots import Wishes as ClipWishes
from studio.rooms.songs import SongRoom
from studio.rooms.training import NOTHING, TrainRoom, minutes_of
from studio.rooms.wishes import AS_LEARNED, INSTRUMENTS
from studio.rooms.wishes import Wishes as SongWishes
from videogen.model import Model
from videogen.rendering.take import Take

TRACKS = ["drums", "piano", "guitar", "bass", "strings"]
MODEL = MUSIC.open_run("latent_musegan", "cpu")
SONG_FIELDS = SongWishes(
    "lookback_rnn", 1, 16, 1, TRACKS, "auto", "", "", AS_LEARNED, "normal", False, 1,
    INSTRUMENTS, 0, [],
)  # fmt: skip
CLIP_FIELDS = ClipWishes(
    "shapes", "", 1, 1, "", "", None, "", "", False, NO_MUSIC, ["gif"], "", False
)
OWN = {
    "make_beside": [],
    "play": [],
    "fill": ["Bars"],
    "continue_song": ["Bars to add"],
    "vary": ["Strength, 0 to 1"],
    "remix": ["Sections", "Bars of each"],
    "lead": ["Another song", "Bars between"],
    "interpolate": ["Another song"],
}
"""The fields of each deed on the open song."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    return page(StudioFolder.of(tmp_path_factory.mktemp("page")))


def fields_of(built: gr.Blocks, deed: str, label: str) -> list[Any]:
    """Return the fields of a deed of which one has this label."""
    found = [list(fn.inputs) for fn in built.fns.values() if fn.name == deed]
    return next(fields for fields in found if label in labels(fields))


def labels(fields: list[Any]) -> list[str]:
    return [getattr(field, "label", "") or "" for field in fields]


def values(fields: list[Any]) -> list[Any]:
    return [field.value for field in fields]


def test_the_fields_of_songs_begin_as_wishes_without_a_wish(built: gr.Blocks):
    fields = fields_of(built, "make", "Best of")
    assert labels(fields)[1:] == [
        *("Model", "Songs", "Bars", "Seed", "Tracks to compose", "Form", "Tempo", "Temperature"),
        *("Key", "Density", "With an ending", "Best of", "Played by", "Timbre"),
        "Tracks in this voice",
    ]
    assert SongWishes(*values(fields)[1:]) == SONG_FIELDS
    steering = Steering(temperature=None, key=None, density=1.0, form="")
    assert (SONG_FIELDS.steering(), SONG_FIELDS.letters) == (steering, "")


@pytest.mark.parametrize("deed", list(OWN))
def test_a_deed_on_a_song_has_the_book_its_own_fields_and_the_wishes(deed: str, built: gr.Blocks):
    fields = fields_of(built, deed, "Best of")
    assert labels(fields)[1 : 1 + len(OWN[deed])] == OWN[deed]
    assert fields[0].elem_id == "songs-book"
    wishes = fields_of(built, "make", "Best of")[1:]
    assert fields[1 + len(OWN[deed]) :] == wishes


def test_the_fields_of_clips_begin_as_wishes_without_a_wish(built: gr.Blocks):
    fields = fields_of(built, "make", "Sentences")
    assert labels(fields) == [
        *("Model", "Sentences", "Clips of each", "Seed", "Then", "Into"),
        *("A picture to begin with", "Frames", "a second", "Ends as it begins: a loop"),
        *("Music, a new song by", "Files beside .mp4", "Scale"),
        "Show gist, background, mask and foreground",
    ]
    assert ClipWishes(*values(fields)) == CLIP_FIELDS


def test_what_is_said_of_layers_names_the_fields_of_the_page(built: gr.Blocks):
    fields = fields_of(built, "make", "Sentences")
    with pytest.raises(ConfigError) as refused:
        Take("", 0, frames=5).layers(clip_model())
    said = in_page(refused.value)
    named = re.findall("“(.+?)”", said)
    assert len(named) == 7 and set(named) <= set(labels(fields))
    assert "--" not in said


def test_what_an_option_is_called_in_the_page_stands_in_it(built: gr.Blocks):
    shown = {
        text
        for block in built.blocks.values()
        for text in (getattr(block, "label", None), getattr(block, "value", None))
        if isinstance(text, str)
    }
    assert set(FIELDS.values()) - shown == set()


def test_the_tracks_of_a_song_are_chosen_in_a_field_of_its_room(built: gr.Blocks):
    said = in_page("--tracks drums composes no others, and --pickup 1 begins after one beat")
    named = re.findall("“(.+?)”", said)
    assert named == ["Tracks to compose", "Quarter notes before the first bar"]
    assert set(named) <= set(labels(fields_of(built, "make", "Best of"))) | {named[1]}


@pytest.mark.parametrize(
    "folder",
    [
        "/a b/.received/" + 64 * "0f"[:1],
        "/my/songs/2026-11-29_14-58-11_x",
        "/c/clips/2026-11-29_14-58-11_x_2",
    ],
)
def test_a_file_of_the_studio_is_called_by_its_name(folder: str):
    assert in_page(f"{folder}/a.mid: no note") == "a.mid: no note"
    assert in_page(f"cannot read '{folder}/a.mid': no") == "cannot read 'a.mid': no"
    assert in_page("/home/me/songs/a.mid: no note") == "/home/me/songs/a.mid: no note"


def test_an_option_that_the_page_lacks_is_said_to_be_elsewhere():
    """Once, however often the sentence is asked for; a whole command keeps its own options."""
    said = in_page("lower train.batch_size (--set train.batch_size=N) or choose --device cpu")
    assert said.endswith("; --set and --device are on the command line, not on this page")
    assert in_page(said) == said
    command = "prepare them with pianoreel video prepare clips.jsonl --size 32"
    assert in_page(command) == command


def test_a_line_of_state_names_the_fields_of_the_page():
    assert state("give them by --against DATA, fewer --fps", 0.5).endswith(
        "give them by “Measured against” DATA, fewer “a second”"
    )


def test_the_fields_of_files_and_of_training_begin_with_what_is_usual(built: gr.Blocks):
    fields = fields_of(built, "prepare", "Metre")
    assert dict(zip(labels(fields)[1:], values(fields)[1:], strict=True)) == {
        "Name of the collection": "",
        "What they are": "songs",
        "Tracks": "lakh",
        "Bars of a phrase": 16,
        "Metre": "4/4",
        "Tracks that must sound": 3,
        "Quarter notes before the first bar": 0,
        "Pixels": 32,
        "Frames": 16,
        "a second": 8,
        "Captions from": "auto",
        "Frames to the next clip": "",
        "Films that are too short": "pad",
        "Held out": "auto",
    }
    fields = fields_of(built, "start", "Minutes")
    assert dict(zip(labels(fields), values(fields), strict=True)) == {
        "Learn to make": "songs",
        "From the collection": None,
        "Model": MUSIC.default_model,
        "Time and size": "small",
        "Minutes": 60,
        "Seed": 0,
        "Begin with the weights of": NOTHING,
        "Name of the run": "",
    }


WIRES = {
    "open_file": (
        (
            *("songs-book", "Open a song file of yours", "Model"),
            *("Quarter notes before the first bar", "Metre"),
        ),
        ("songs-book", "songs-state"),
    ),
    "objections": (("Model", "Sentences", "Then", "Into"), ("HTML",)),
    "recognised": (("drop", "What they are"), ("Name of the collection", "What they are")),
    "report": (("Collection",), ("HTML",)),
    "prepare": (None, ("HTML", "files-state", "Collection")),
    "start": (None, ("Run",)),
    "stop": (("Run",), ()),
    "go_on": (("Run", "Minutes in all"), ()),
    "view": (("Run", "State"), ("train-status", "HTML", "State")),
    "choices": (
        ("Learn to make", "From the collection", "Model", "Begin with the weights of"),
        ("From the collection", "Model", "Begin with the weights of", "Time and size"),
    ),
    "expectation": (("Learn to make", "Time and size", "Model", "Minutes"), ("HTML",)),
    "choose": (("Runs, at most 8", "Measured against"), ("Measured against", "HTML")),
    "measure": (("Runs, at most 8", "Measured against"), ("runs-state",)),
    "gallery": (("Find", "Kind"), ("HTML",)),
    "others": ((), ("Another song",)),
    **dict.fromkeys(OWN, (None, ("songs-book", "songs-state", "Seed"))),
}
"""The fields that an event reads, None where other tests say so, and those of its answer."""
SUCCESSIVE = {*OWN, "make", "prepare"}
"""Events of one kind that take turns."""


def test_an_event_has_the_fields_that_it_reads_and_shows_its_answer(built: gr.Blocks):
    """Only what takes long waits in the queue."""
    events = [fn for fn in built.fns.values() if fn.name in WIRES]
    assert {fn.name for fn in events} == WIRES.keys()
    for event in events:
        given, shown = WIRES[str(event.name)]
        assert given in (None, tuple(map(called, event.inputs))), event.name
        assert shown == tuple(map(called, event.outputs)), event.name
    functions = [fn for fn in built.fns.values() if fn.fn is not None]
    assert {fn.name for fn in functions if fn.queue} == {*SUCCESSIVE, "open_file"}
    lines = {fn.name: (fn.concurrency_id, fn.concurrency_limit) for fn in functions}
    for name in SUCCESSIVE:
        assert lines[name] == ("reading" if name == "prepare" else "making", 1), name


def called(field: Any) -> str:
    """The label of a field, or else its id in the page, or its kind."""
    return getattr(field, "label", "") or field.elem_id or type(field).__name__


IDS = {
    "make-songs": "Make songs",
    "play-so": "Play the open song with it",
    "fill-bars": "Bars",
    "other-song": "Another song",
    "captions": "Sentences",
    "then": "Then",
    "into": "Into",
    "make-clips": "Make clips",
    "collection-name": "Name of the collection",
    "read-files": "Read them",
    "train-data": "From the collection",
    "train-size": "Time and size",
    "train-minutes": "Minutes",
    "run-name": "Name of the run",
    "start-training": "Start",
    "train-run": "Run",
    "runs-chosen": "Runs, at most 8",
    "find-model": "Find",
}
"""The fields and buttons that scripts, styles and programs find by their ids."""
FIELD_KINDS = (gr.Button, gr.Textbox, gr.Dropdown, gr.Number, gr.Radio, gr.CheckboxGroup)


def test_a_field_or_a_button_has_its_id(built: gr.Blocks):
    found = {
        block.elem_id: getattr(block, "label", "") or getattr(block, "value", "")
        for block in built.blocks.values()
        if isinstance(block, FIELD_KINDS) and block.elem_id
    }
    assert found == IDS


def test_the_minutes_of_a_size_are_offered_when_it_is_chosen(built: gr.Blocks):
    """By hand only: a room that is entered sets its fields and leaves the minutes."""
    (wire,) = [fn for fn in built.fns.values() if fn.name == "minutes_of"]
    assert labels([*wire.inputs]) == ["Learn to make", "Time and size", "Model"]
    assert labels([*wire.outputs]) == ["Minutes"]
    assert wire.targets == [(wire.inputs[1]._id, "input")]
    vae = minutes_of("songs", "small", "vae")
    assert vae == MUSIC.presets["small"].values("vae", MUSIC.recipes["vae"])["train"]["minutes"]


def test_a_model_on_the_ring_is_shown_with_its_picture():
    assert 'src="/theory/models/ring/ppca.png"' in gallery("ppca")
    assert "not on the ring" in gallery("super_resolution")


# ---- deeds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudioFolder:
    """A studio with two songs."""
    folder = StudioFolder.of(tmp_path_factory.mktemp("studio"))
    for name in ("one", "two"):
        (folder.root / "songs" / f"2026-11-27_03-30-00_{name}").mkdir()
        take = folder.root / "songs" / f"2026-11-27_03-30-00_{name}"
        (take / f"{name}.mid").write_bytes(b"")
        (take / f"{name}.json").write_text("{}")
    return folder


ONE, TWO = (f"songs/2026-11-27_03-30-00_{name}/{name}.mid" for name in ("one", "two"))


def composed(
    folder: StudioFolder, monkeypatch: pytest.MonkeyPatch, deed: str, *given: Any, **settings: Any
) -> SimpleNamespace:
    """Run a deed without composing; return request, steering, tempo, ending, best of."""
    room, asked = SongRoom(folder), SimpleNamespace(seeds=[])

    class Composing:
        def __init__(self, model, request, steering, tempo, ending, best_of):
            vars(asked).update(
                request=request, steering=steering, tempo=tempo, ending=ending, best_of=best_of
            )

        def songs(self, count: int, seed: int) -> list[int]:
            asked.seeds += [(count, seed)]
            return [seed]

    monkeypatch.setattr(songs, "Composition", Composing)
    monkeypatch.setattr(room, "model", lambda name: MODEL)
    monkeypatch.setattr(room, "_kept", lambda roll, orchestra: folder.find(ONE))
    book = {"songs": [], "open": ONE, **UNTOUCHED, "locked": ["bass"]}
    fields = SONG_FIELDS._replace(model="latent_musegan", **settings)
    *_, asked.answer = getattr(room, deed)(book, *given, *fields)
    return asked


OTHERS = ("drums", "piano", "guitar", "strings")
DEEDS = {
    "make": ((), Request(bars=16)),
    "make_beside": ((), Request(given=Path(ONE), keep=("bass",), tracks=OTHERS)),
    "fill": ((" 2-3 ",), Request(given=Path(ONE), fill="2-3", tracks=OTHERS)),
    "continue_song": ((8,), Request(continued=Path(ONE), bars=8)),
    "remix": ((" aba", 4), Request(remixed=Path(ONE), form="ABA", section_bars=4)),
    "lead": ((TWO, 8), Request(between=(Path(ONE), Path(TWO)), bars=8)),
}


@pytest.mark.parametrize("deed", list(DEEDS))
def test_a_deed_asks_for_what_its_button_says(deed: str, folder: StudioFolder, monkeypatch):
    given, wanted = DEEDS[deed]
    asked = composed(folder, monkeypatch, deed, *given)
    at = {field: getattr(wanted, field) for field in ("given", "continued", "remixed")}
    placed = {field: path and folder.root / path for field, path in at.items()}
    pair = wanted.between and tuple(folder.root / path for path in wanted.between)
    for field, value in {**placed, "between": pair}.items():
        assert getattr(asked.request, field) == value, field
    for field in ("keep", "fill", "tracks", "bars", "form", "section_bars"):
        assert getattr(asked.request, field) == getattr(wanted, field), field


def test_wishes_reach_the_composition_song_by_song(folder: StudioFolder, monkeypatch):
    settings: dict[str, Any] = {
        "tempo": "96,5", "key": "A minor", "density": "high", "temperature": "0.5",
        "form": " AABA", "ending": True, "count": 3, "seed": 7, "tracks": ["bass", "drums"],
    }  # fmt: skip
    asked = composed(folder, monkeypatch, "make", **settings)
    steering = asked.steering
    assert (asked.tempo, asked.ending, asked.best_of) == (96.5, True, None)
    assert (steering.key, steering.temperature, steering.form) == (
        Key.parse("A minor"),
        0.5,
        "AABA",
    )
    assert steering.density > 1
    assert (asked.request.form, asked.request.tracks) == ("AABA", ("bass", "drums"))
    assert asked.seeds == [(1, 7), (1, 8), (1, 9)]
    book, state, seed = asked.answer
    assert (book["open"], book["locked"], seed) == (ONE, [], 10) and "3 made" in state


def test_the_shelf_and_what_is_open(folder: StudioFolder):
    assert [(song["id"], song["name"], song["detail"]) for song in shelf(folder)] == [
        (TWO, "two", "2026-11-27 03:30"),
        (ONE, "one", "2026-11-27 03:30"),
    ]
    book = {"songs": [], "open": ONE, "locked": ["bass"], "bars": "2-3", "pair": []}
    opened = with_songs(book, folder, TWO)
    assert (opened["open"], opened["locked"], opened["bars"]) == (TWO, [], "")
    same = with_songs(book, folder)
    assert (same["open"], same["locked"], same["bars"]) == (ONE, ["bass"], "2-3")
    assert same["songs"] == shelf(folder)


# ---- files


def prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *fields: Any) -> Any:
    """The configuration with which files are prepared."""
    seen: dict[str, Any] = {}

    def prepare(sources, to, config, *, jobs, tick):
        seen.update(sources=sources, to=to, config=config, tick=tick)

    monkeypatch.setattr(files.songs, "prepare", prepare)
    monkeypatch.setattr(files.clips, "prepare", prepare)
    files._preparation(fields[0], tmp_path / "a", tmp_path / "b", *fields[1:])(print)
    assert (seen["sources"], seen["to"]) == ([str(tmp_path / "a")], tmp_path / "b")
    assert seen["tick"] is print
    return seen["config"]


def test_the_fields_of_files_are_the_settings_of_a_preparation(monkeypatch, tmp_path: Path):
    ask = partial(prepared, monkeypatch, tmp_path)
    cutting = ("auto", "", "pad", "auto")
    config = ask("songs", "lakh", 8, " 3/4 ", 2, 0.5, 32, 16, 8, *cutting)
    assert (config.bars, config.min_tracks, config.meter) == (8, 2, "kept")
    assert config.pickup_beats == 0.5
    assert (config.grid.steps_per_beat, config.grid.beats_per_bar) == (12, 3)
    assert [track.name.lower() for track in config.tracks] == TRACKS
    assert ask("songs", "lakh", 8, "any", 2, 0, 32, 16, 8, *cutting).meter == "any"
    of_clips = partial(ask, "clips", "lakh", 8, "4/4", 2, 0, 48, 12, 10)
    config = of_clips(*cutting)
    assert (config.size, config.frames, config.frames_per_second) == (48, 12, 10)
    assert (config.captions, config.step, config.short, config.hold_out) == (
        *("auto", 12, "pad", "auto"),
    )
    config = of_clips("name", " 3", "drop", "composition")
    assert (config.captions, config.step, config.short, config.hold_out) == (
        *("name", 3, "drop", "composition"),
    )
    for wrong in (
        ("mine", *cutting[1:]),
        ("auto", "2.5", *cutting[2:]),
        ("auto", "0", *cutting[2:]),
    ):
        with pytest.raises(UserError):
            of_clips(*wrong)
    usual = ("lakh", 8, "4/4", 2, 0)
    for at, value in ((0, "none"), (1, 0), (1, None), (3, 6), (3, None), (4, -1), (4, None)):
        wrong = [*usual[:at], value, *usual[at + 1 :]]
        with pytest.raises(UserError):
            ask("songs", *wrong, 32, 16, 8, *cutting)


READ: dict[str, Any] = {
    "tracks": "lakh", "bars": 16, "meter": "4/4", "least": 3, "pickup": 0, "size": 32,
    "frames": 16, "rate": 8, "captions": "auto", "hop": "", "short": "pad", "hold_out": "auto",
}  # fmt: skip
"""The fields of files as they begin, by their names."""


@cache
def clip_model() -> Model:
    return Model.load("shapes", "cpu")


def prepares(kind: str, field: str, is_text: bool = False) -> Callable[[float], object]:
    return lambda value: files._preparation(
        *(kind, Path("a"), Path("b")),
        **{**READ, field: f"{value:g}" if is_text else value},
    )


def wishes_for_songs(field: str, asked: str, is_text: bool = False) -> Callable[[float], object]:
    def wish(value: float) -> object:
        wishes = SONG_FIELDS._replace(**{field: f"{value:g}" if is_text else value})
        found = getattr(wishes, asked)
        return found() if asked == "steering" else found

    return wish


def wishes_for_clips(field: str, is_text: bool = False) -> Callable[[float], object]:
    def wish(value: float) -> object:
        changed = {field: f"{value:g}" if is_text else value, "captions": "a"}
        wishes = CLIP_FIELDS._replace(**changed)
        return wishes.output(Path("a")) if field == "scale" else wishes.takes(clip_model())

    return wish


RANGES: list[tuple[str, float, float, float, Callable[[float], object]]] = [
    ("pixels", 16, 256, 1, prepares("clips", "size")),
    ("frames", 2, 256, 1, prepares("clips", "frames")),
    ("frames a second", 1, 60, 0.5, prepares("clips", "rate")),
    ("frames to the next clip", 1, 256, 1, prepares("clips", "hop", is_text=True)),
    ("bars", 1, 256, 1, prepares("songs", "bars")),
    ("tracks that must sound", 1, 5, 1, prepares("songs", "least")),
    ("quarter notes before the first bar", 0, 16, 0.5, prepares("songs", "pickup")),
    ("bars", 1, 128, 1, songs._bars),
    ("songs", 1, 16, 1, wishes_for_songs("count", "seeds")),
    ("seed", 0, MAX_SEED - 1, 1, wishes_for_songs("seed", "seeds")),
    ("best of", 1, 64, 1, wishes_for_songs("best_of", "of_each")),
    ("tempo", 10, 400, 0.5, wishes_for_songs("tempo", "tempo_bpm", is_text=True)),
    ("temperature", 0.01, 10, 0.005, wishes_for_songs("temperature", "steering", is_text=True)),
    ("clips", 1, 16, 1, wishes_for_clips("count")),
    ("frames", 1, 256, 1, wishes_for_clips("frames", is_text=True)),
    ("frames a second", 1, 60, 0.5, wishes_for_clips("rate", is_text=True)),
    ("scale", 0.05, 64, 0.01, wishes_for_clips("scale", is_text=True)),
]


@pytest.mark.parametrize(("name", "least", "most", "step", "ask"), RANGES)
def test_a_field_takes_its_least_and_its_largest_number_and_names_them_beyond(
    name: str, least: float, most: float, step: float, ask: Callable[[float], object]
):
    for value in (least, most):
        ask(value)
    for value in (least - step, most + step):
        with pytest.raises(ConfigError) as refused:
            ask(value)
        assert str(refused.value) == f"{name}: {least} to {most}, not {value}"


def test_a_reading_goes_on_with_the_same_wishes_and_begins_anew_with_others(tmp_path: Path):
    to = tmp_path / "below" / "mine"
    files._begin(to, ["a", 1])
    (to / "shard").write_text("finished")
    files._begin(to, ["a", 1])
    assert (to / "shard").is_file()
    files._begin(to, ["a", 2])
    assert [path.name for path in to.iterdir()] == [files.WISHES]


def test_what_was_left_out_is_listed_with_its_file(tmp_path: Path):
    folder = StudioFolder.of(tmp_path)
    mine = folder.root / "collections" / "mine"
    mine.mkdir()
    (mine / "summary.txt").write_text("3 files: 2 kept, --bars 8, a smaller --hop\n")
    row = '{"path": "up/a<b>.mid", "reason": "no-notes", "detail": "the file has no notes"}'
    (mine / "rejects.jsonl").write_text(f"{row}\nnot json\n")
    shown = FileRoom(folder).report("mine")
    assert "Left out: 1" in shown and "a&lt;b&gt;.mid" in shown and "no-notes" in shown
    assert "Bars of a phrase" in shown and "Frames to the next clip" in shown
    assert "--" not in shown
    assert "<img" not in shown
    (mine / "collection.png").write_bytes(b"")
    assert "/kept/collections/mine/collection.png" in FileRoom(folder).report("mine")


# ---- training


def test_a_training_is_started_by_the_command_of_its_fields(tmp_path: Path, monkeypatch):
    started: list[Any] = []
    monkeypatch.setattr(child, "start", lambda run, arguments: started.append((run, arguments)))
    folder = StudioFolder.of(tmp_path)
    room = TrainRoom(folder)
    shapes = "moving shapes, drawn as they are needed"
    update = room.start("clips", shapes, "gist", "tiny", 2.5, 7, "shapes", " my run ")
    ((run, arguments),) = started
    assert run == folder.runs / "my-run" and update["value"] == "my-run"
    assert arguments[:5] == ["video", "train", "--shapes", "--to", str(run)]
    named = dict(zip(arguments[5::2], arguments[6::2], strict=True))
    begin = named.pop("--from")
    assert Path(begin).name == "shapes" and (Path(begin) / "config.yaml").is_file()
    assert named == {"--model": "gist", "--preset": "tiny", "--seed": "7", "--minutes": "2.5"}


def test_a_run_goes_on_with_another_budget(tmp_path: Path, monkeypatch):
    started: list[Any] = []
    monkeypatch.setattr(child, "start", lambda run, arguments: started.append((run, arguments)))
    folder = StudioFolder.of(tmp_path)
    run = folder.runs / "mine"
    run.mkdir()
    command = ["music", "train", "data", "--to", str(run), "--minutes", "60"]
    (run / child.COMMAND).write_text(str(command).replace("'", '"'))
    TrainRoom(folder).go_on("mine", 90)
    (run / "config.yaml").write_text("# pianoreel run, format 2\ntrain: {minutes: 60}\n")
    (run / "metrics.jsonl").write_text('{"step": 30, "match_x": 2.0, "seconds": 3600}\n')
    with pytest.raises(ConfigError, match="mine has learned for 60 minutes: give more “Minutes i"):
        TrainRoom(folder).go_on("mine", 60)
    TrainRoom(folder).go_on("mine", 61)
    assert started == [(run, [*command[:-1], minutes]) for minutes in ("90", "61")]


class Working(subprocess.Popen[bytes]):
    """A command that never ends, and begins no process."""

    def __init__(self, command: list[str], **settings: Any):
        self.args, self.settings, self.returncode = command, settings, None

    def poll(self) -> None: ...


def test_a_command_runs_apart_and_prints_to_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It ends with no terminal, and is not launched twice."""
    commands: list[Any] = []
    monkeypatch.setattr(child, "_children", commands)
    monkeypatch.setattr(subprocess, "Popen", Working)
    to = tmp_path / "studio" / "evaluation"
    child.launch(to, ["music", "evaluate", "--to", str(to)])
    with pytest.raises(ConfigError, match="evaluation is still at work: wait for it"):
        child.launch(to, ["video", "evaluate"])
    (command,) = commands
    program = [sys.executable, "-c", child.ENTRY]
    assert command.args == [*program, "music", "evaluate", "--to", str(to)]
    log = command.settings["stdout"]
    assert (Path(log.name), log.mode, command.settings["stderr"]) == (to / "log.txt", "ab", log)
    assert command.settings["stdin"] == subprocess.DEVNULL
    assert command.settings["start_new_session"] is True
    path = os.pathsep.join(one for one in sys.path if one)
    assert command.settings["env"] == {**os.environ, "PYTHONPATH": path}


def test_runs_are_measured_by_one_command_against_what_the_first_has_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    launched: list[Any] = []
    monkeypatch.setattr(child, "launch", lambda *command: launched.append(command))
    monkeypatch.setattr(runs, "is_trained", lambda folder, domain, name: domain is MUSIC)
    monkeypatch.setattr(runs, "learned_from", lambda folder, domain, run: f"data of {run.name}")
    folder = StudioFolder.of(tmp_path)
    one, two = (folder.runs / name for name in ("one", "two"))
    mine = folder.root / "collections" / "mine"
    for path in (one, two, mine):
        path.mkdir()
    for data in (runs.OF_TRAINING, "mine"):
        RunRoom(folder).measure(["one", "two"], data)
    to, beside = folder.root / "evaluation", [str(one), "--beside", str(two)]
    for (place, command), against in zip(launched, ("data of one", str(mine)), strict=True):
        ends = ["--against", against, "--count", "64", "--to", str(to)]
        assert (place, command) == (to, ["music", "evaluate", *beside, *ends])


# ---- curves


def test_a_curve_goes_from_the_corner_of_its_least_to_that_of_its_largest_value():
    """Values 0, 1 and 2 at steps 0, 50 and 100; the axis ends two percent below the top."""
    rows = [{"step": 50 * n, "a": float(n)} for n in range(3)]
    shown = curves({"run": rows})
    path = shown.partition('<path d="M')[2].partition('"')[0]
    points = [tuple(map(float, pair.split())) for pair in path.split("L")]
    right, low, high = WIDTH - 4, HEIGHT - BOTTOM, TOP + 2
    at = LEFT, (LEFT + right) / 2, right
    assert [x for x, _ in points] == pytest.approx(at, abs=0.06)
    middle = low - (low - high) / 1.96
    assert [y for _, y in points] == pytest.approx([low, middle, high], abs=0.06)
