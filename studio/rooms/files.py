"""The room of the user's own files: drop them, see what was kept, and why the others were not."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from core.config import resolve
from core.data.limits import Limits
from core.data.preparation import NothingKept, Tick
from core.data.sources import scan
from core.errors import ConfigError, UserError
from core.files import worker_in, write_text
from musegen.data import preparation as songs
from musegen.data.records import PrepareConfig as SongConfig
from musegen.data.records import grid_settings
from musegen.smf.chunks import SONG_FILES
from musegen.tracks import TRACK_LISTS
from studio.components.drop import drop_zone
from studio.components.fields import (
    number,
    offer,
    optional_whole,
    pickup_beats,
    pickup_field,
    text_field,
    whole,
    whole_field,
)
from studio.components.markup import empty, escaped, in_page, table
from studio.components.messages import ASIDE, answering, state, state_line, stoppable, stops
from studio.folder import (
    COLLECTIONS,
    StudioFolder,
    folders_in,
    new_name,
    parsed,
    read_text,
    safe_name,
)
from studio.following import Following
from studio.uploads import batch_folder
from videogen.data import preparation as clips
from videogen.data.records import HOLD_OUT, Short
from videogen.data.records import PrepareConfig as ClipConfig
from videogen.data.sources.captioned import CaptionSource
from videogen.files.pictures import PICTURES
from videogen.files.reading import VIDEO

SONGS, CLIPS = "songs", "clips"
MOST_REJECTS = 200
"""Rejected files that the page lists."""

READING: dict[str, Any] = {"concurrency_id": "reading", "concurrency_limit": 1}
"""One collection is read after the other."""

SUFFIXES_OF = {SONGS: SONG_FILES, CLIPS: (*VIDEO, *PICTURES)}
"""The endings by which it is seen what files are, also those in archives."""

OF_CLIPS = {
    "captions": "Captions from",
    "hop": "Frames to the next clip",
    "short": "Films that are too short",
    "hold-out": "Held out",
}
"""The further fields of clips, by the options that messages name."""

WISHES = ".wishes.json"
"""The file of a collection that says for what its reading began."""

Prepare = Callable[[Tick], Any]


class FileRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    def prepare(
        self, dropped: dict[str, Any], name: str, kind: str, *settings: Any
    ) -> Iterator[tuple[Any, str, Any]]:
        """Read the dropped files into a collection: the report, the line of state, the names."""
        sources = batch_folder(self.folder, str(dropped["batch"]))
        if not sources.is_dir():  # it was removed, or nothing of it was taken
            raise ConfigError("drop files first")
        name = name.strip() or _usual_name(sources)
        if not name:
            raise ConfigError("give the collection a name")
        collections = self.folder.root / COLLECTIONS
        to = collections / new_name(name, collections, "summary.txt")
        work = Following(_preparation(kind, sources, to, *settings))
        _begin(to, [dropped["batch"], kind, *settings])
        try:
            for _ in work.steps():
                said = f"reading: {work.done} of {work.total}" if work.total else "finding files"
                yield gr.skip(), state(said, work.share), gr.skip()
        except NothingKept as error:
            shutil.rmtree(to, ignore_errors=True)  # its name is free for another try
            yield _rejects(error.rejects), state(_in_room(error.summary)), gr.skip()
            return
        except UserError as error:
            _forget(to)
            raise UserError(_in_room(_of_dropped(error, sources))) from error
        names = folders_in(self.folder.root / COLLECTIONS)
        yield (
            self.report(to.name),
            state(f"{to.name} is ready"),
            gr.update(choices=names, value=to.name),
        )

    def recognised(self, dropped: dict[str, Any], kind: str) -> tuple[Any, str]:
        """Return the name that is offered for what was dropped, and whether it is songs or clips.

        What is typed meanwhile stays: the name stands in the empty field as its placeholder.
        """
        batch = batch_folder(self.folder, str(dropped["batch"]))
        kinds = [one for one, known in SUFFIXES_OF.items() if scan([batch], known, Limits()).count]
        return gr.update(placeholder=_usual_name(batch)), kinds[0] if len(kinds) == 1 else kind

    def report(self, name: str | None) -> str:
        """Return what is known of a collection: its summary, its picture, what was left out."""
        if not name:
            return empty("No collection yet. Drop files, and press Read them.")
        folder = self.folder.collection(name)
        lines = read_text(folder / "summary.txt") or "not finished"
        picture = folder / "collection.png"
        shown = f'<img src="{self.folder.url(picture)}" alt="The collection {escaped(name)}">'
        parts = [
            f"<h2>{escaped(name)}</h2><pre>{escaped(_in_room(lines))}</pre>",
            shown if picture.is_file() else "",
            _rejects(_read_rejects(folder)),
        ]
        return f'<div class="report">{"".join(parts)}</div>'

    def layout(self) -> None:
        """Lay out the room within the page."""
        names = folders_in(self.folder.root / COLLECTIONS)
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                dropped = drop_zone()
                kind = gr.Radio([SONGS, CLIPS], value=SONGS, label="What they are")
                name = gr.Textbox(
                    "", label="Name of the collection", max_lines=1, elem_id="collection-name"
                )
                with gr.Group() as of_songs:
                    tracks = gr.Dropdown(list(TRACK_LISTS), value="lakh", label="Tracks")
                    with gr.Row():
                        bars = whole_field("Bars of a phrase", 16)
                        meter = gr.Textbox("4/4", label="Metre", max_lines=1, min_width=80)
                    with gr.Row():
                        least = whole_field("Tracks that must sound", 3)
                        pickup = pickup_field()
                with gr.Group(visible=False) as of_clips:
                    with gr.Row():
                        size = whole_field("Pixels", 32)
                        frames = whole_field("Frames", 16)
                        rate = gr.Number(8, label="a second", min_width=80)
                    cutting = _cutting_fields()
                read = gr.Button("Read them", variant="primary", elem_id="read-files")
                stop = gr.Button("Stop", visible=False)
                line = state_line("files-state")
            with gr.Column(scale=3, min_width=320):
                chosen = gr.Dropdown(names, value=names[0] if names else None, label="Collection")
                report = gr.HTML(self.report(names[0] if names else None), apply_default_css=False)
        kind.change(
            lambda kind: (gr.update(visible=kind == SONGS), gr.update(visible=kind == CLIPS)),
            kind,
            [of_songs, of_clips],
            **ASIDE,
        )
        dropped.input(answering(self.recognised), [dropped, kind], [name, kind], **ASIDE)
        of_kinds = [tracks, bars, meter, least, pickup, size, frames, rate, *cutting]
        settings = [dropped, name, kind, *of_kinds]
        answers = [report, line, chosen]
        event = stoppable(read.click, self.prepare, settings, answers, stop, **READING)
        stops(stop, line, [event])
        chosen.change(answering(self.report), chosen, report, **ASIDE)
        self.on_entry = (answering(self.refresh), [chosen], [chosen, report])

    def refresh(self, chosen: str | None) -> tuple[Any, str]:
        """Return what the room shows when it is entered."""
        names = folders_in(self.folder.root / COLLECTIONS)
        shown = chosen if chosen in names else next(iter(names), None)
        return offer(names, chosen), self.report(shown)


def _preparation(
    kind: str,
    sources: Path,
    to: Path,
    tracks: str,
    bars: float | None,
    meter: str,
    least: float | None,
    pickup: float | None,
    size: float | None,
    frames: float | None,
    rate: float | None,
    captions: str,
    hop: str,
    short: str,
    hold_out: str,
) -> Prepare:
    """Return the preparation that the fields ask for; `ConfigError` for wrong or empty ones."""
    jobs = os.cpu_count() or 1
    if tracks not in TRACK_LISTS:
        raise ConfigError(f"tracks: one of {', '.join(TRACK_LISTS)}")
    if kind == CLIPS:
        chosen = {
            "size": whole("pixels", size, 16, 256),
            "frames": whole("frames", frames, 2, 256),
            "frames_per_second": number("frames a second", rate, 1, 60),
            "captions": captions,
            "hop": optional_whole("frames to the next clip", hop, 1, 256),
            "short": short,
            "hold_out": hold_out,
        }
        config = resolve(ClipConfig, chosen, "the fields")
        return lambda tick: clips.prepare([str(sources)], to, config, jobs=jobs, tick=tick)
    chosen = {
        "grid": grid_settings(meter.strip(), 12),
        "tracks": [track.model_dump(mode="json") for track in TRACK_LISTS[tracks]],
        "meter": "any" if meter.strip() == "any" else "kept",
        "bars": whole("bars", bars, 1, 256),
        "min_tracks": whole("tracks that must sound", least, 1, len(TRACK_LISTS[tracks])),
        "pickup_beats": pickup_beats(pickup),
    }
    of_songs = resolve(SongConfig, chosen, "the fields")
    return lambda tick: songs.prepare([str(sources)], to, of_songs, jobs=jobs, tick=tick)


def _cutting_fields() -> list[Any]:
    """Lay out how films become clips with captions; return the fields, as `_preparation` reads."""
    with gr.Accordion("Captions, and how films are cut", open=False, elem_classes="further"):
        return [
            gr.Dropdown(list(get_args(CaptionSource)), value="auto", label=OF_CLIPS["captions"]),
            text_field(OF_CLIPS["hop"], "as many as a clip has"),
            gr.Dropdown(list(get_args(Short)), value="pad", label=OF_CLIPS["short"]),
            gr.Dropdown(list(HOLD_OUT), value="auto", label=OF_CLIPS["hold-out"]),
        ]


def _begin(to: Path, wishes: Sequence[Any]) -> None:
    """Leave what is there of the same wishes, which goes on, and remove what is of others."""
    if worker_in(to) is not None:
        raise ConfigError(f"{to.name} is still being read: wait for it, or choose another name")
    text = json.dumps(wishes)
    path = to / WISHES
    if to.is_dir() and read_text(path) != text:
        shutil.rmtree(to)
    to.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _forget(to: Path) -> None:
    """Remove a collection of which nothing was read: it would be offered, and its name taken."""
    if all(path.name.startswith(".") for path in to.iterdir()):
        shutil.rmtree(to)


def _of_dropped(error: UserError, sources: Path) -> str:
    """Return what an error says, with files named as they were dropped."""
    return str(error).replace(f"{sources}/", "").replace(str(sources), "what you dropped")


def _usual_name(batch: Path) -> str:
    """Return the name of the one folder or file that was dropped; empty for several."""
    tops = list(batch.iterdir()) if batch.is_dir() else []
    return safe_name(tops[0].stem) if len(tops) == 1 else ""


def _in_room(sentence: object) -> str:
    return in_page(sentence, bars="Bars of a phrase", tracks="Tracks", **OF_CLIPS)


def _read_rejects(folder: Path) -> list[tuple[Any, ...]]:
    found = read_text(folder / "rejects.jsonl").splitlines()
    rows = (parsed(line, {}) for line in found)
    return [(row.get("path"), row.get("reason"), row.get("detail")) for row in rows if row]


def _rejects(rejects: Iterable[Sequence[object]]) -> str:
    """Return what was left out, and why, as a table."""
    rows = [(Path(str(path)).name, reason, _in_room(detail)) for path, reason, detail in rejects]
    more = f", of which {MOST_REJECTS} are listed" if len(rows) > MOST_REJECTS else ""
    head = ("file", "reason", "why, and what helps")
    return table(f"Left out: {len(rows)}{more}", head, rows[:MOST_REJECTS])
