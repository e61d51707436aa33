"""The songbook: the component that shows songs as piano rolls and plays them.

Its value is {songs: [{id, name, detail, url}], open: id, locked: [track], bars: "5-8",
pair: [id, id]}; where none is open, the browser opens the newest. The page fetches what it draws
from `url`, a NAME.json beside the song's files, which `keep` writes; the browser changes open,
locked, bars and pair.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from core.app.output import Output
from core.files import write_text
from musegen.files import audio
from musegen.files.midi import read_performance
from musegen.files.picture import COLOURS, DRUMS
from musegen.files.song import SongOutput, write_song
from musegen.files.sound import Session
from musegen.playing.orchestra import Orchestra
from musegen.roll import Roll
from studio.folder import SONGS, StudioFolder, is_text, read_json

SCRIPT = Path(__file__).with_name("songbook.js")
TEMPLATE = """<div class="songbook place"></div>
@children
<div class="songbook so-far"></div>"""
MOST_SHOWN = 60
"""Songs of the shelf, the newest ones."""


def songbook() -> gr.HTML:
    """Return the component; what is laid out within it stands below the open song."""
    value = {"songs": [], "open": "", **UNTOUCHED}
    return gr.HTML(
        value,
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="songs-book",
    )


UNTOUCHED: dict[str, Any] = {"locked": [], "bars": "", "pair": []}


def keep(roll: Roll, take: Path, orchestra: Orchestra | None = None) -> Path:
    """Write a song with its tracks alone, and what the page draws; return the path of the latter.

    Files: NAME.mid, NAME.wav, NAME.flac, NAME-stems/TRACK.flac, NAME.json.
    """
    whole = SongOutput(take, ("mid", "wav"), orchestra=orchestra)
    written = [
        *write_song(roll, whole),
        *write_song(roll, replace(whole, formats=("flac",), stems=True)),
    ]
    return draw(roll, written[0])


def replay(song: Path, take: Path, name: str, orchestra: Orchestra | None) -> Path:
    """Write a song as others play it, note for note, under another name; return as `keep` does."""
    performance = replace(read_performance(song), name=name)
    if orchestra:
        orchestra.require(performance.tracks)
    session, output = Session(performance, orchestra), Output(take)
    stem, tags = take / name, {"title": name, "artist": "pianoreel"}
    output.write(stem.with_name(f"{name}.mid"), song.read_bytes())
    for kind in ("wav", "flac"):
        path = stem.with_name(f"{name}.{kind}")
        output.write(path, audio.encode(session.mix, kind, tags))
    stems = take / f"{name}-stems"
    stems.mkdir()
    for track in dict.fromkeys(track.name for track in performance.tracks):  # parts have one name
        numbers = [n for n, one in enumerate(performance.tracks) if one.name == track]
        alone = audio.encode(session.stem(*numbers), "flac", tags)
        output.write(stems / f"{track.lower().replace(' ', '-')}.flac", alone)
    seen = read_json(song.with_suffix(".json"), {})
    path = stem.with_name(f"{name}.json")
    write_text(path, json.dumps({**seen, "name": name}))
    return path


def draw(roll: Roll, midi: Path) -> Path:
    """Write what the page draws of a song beside its .mid."""
    path = midi.with_suffix(".json")
    write_text(path, json.dumps(drawn(roll)))
    return path


def drawn(roll: Roll) -> dict[str, Any]:
    """Return a song as the page draws it: times in beats of its metre, pitches of MIDI.

    `seconds`: at which each bar begins, and the end.
    """
    steps, bar_steps = roll.grid.steps_per_beat, roll.grid.steps_per_bar
    tempo = np.round([roll.tempo_bpm.min(), roll.tempo_bpm.max()]).astype(int)
    return {
        "name": roll.name,
        "origin": roll.origin,
        "form": roll.form,
        "bars": roll.bars,
        "beats": roll.grid.beats_per_bar,
        "tempo": "-".join(dict.fromkeys(map(str, tempo.tolist()))),
        "seconds": [round(roll.seconds_at(bar * bar_steps), 4) for bar in range(roll.bars + 1)],
        "tracks": [_track(roll, number, steps) for number in range(len(roll.tracks))],
    }


def _track(roll: Roll, number: int, steps: int) -> dict[str, Any]:
    track, notes = roll.tracks[number], roll.notes.of(number)
    pitch = notes.pitch + roll.grid.lowest_pitch
    columns = notes.start / steps, notes.length / steps, pitch, notes.velocity
    composed = [] if roll.composed is None else np.flatnonzero(roll.composed[number]).tolist()
    return {
        "name": track.name,
        "colour": COLOURS[number % len(COLOURS)],
        "drums": {str(key): name for key, name in DRUMS.items()} if track.is_drum else None,
        "notes": [[round(float(value), 3) for value in row] for row in zip(*columns, strict=True)],
        "composed": composed,
    }


def shelf(folder: StudioFolder) -> list[dict[str, str]]:
    """Return the songs of the folder as the component lists them, the newest first."""
    return [entry for _, entry in zip(range(MOST_SHOWN), _entries(folder), strict=False)]


def _entries(folder: StudioFolder) -> Iterator[dict[str, str]]:
    for take in folder.takes(SONGS):
        for path in sorted(filter(is_text, take.glob("*.json"))):
            day, time, *_ = take.name.split("_")
            yield {
                "id": folder.identity(path.with_suffix(".mid")),
                "name": path.stem,
                "detail": f"{day} {time.replace('-', ':')[:5]}",
                "url": folder.url(path),
            }


def with_songs(book: dict[str, Any], folder: StudioFolder, opened: str = "") -> dict[str, Any]:
    """Return the component's value with the songs of the folder, and one of them opened."""
    book = {**book, "songs": shelf(folder)}
    return {**book, "open": opened, "locked": [], "bars": ""} if opened else book
