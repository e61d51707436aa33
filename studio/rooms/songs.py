"""The room of songs: make them, hear and see them, lock tracks and have the rest composed anew."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from core.app import latent_commands
from core.errors import ConfigError
from musegen.composition.composition import Composition
from musegen.composition.request import Request
from musegen.draft import Source, accompaniment
from musegen.files.midi import read_midi
from musegen.files.smf import SONG_FILES
from musegen.files.song import SongOutput
from musegen.model import DOMAIN, Model
from musegen.roll import Roll
from musegen.steering import DENSITIES, Steering, density_of
from musegen.tonality import MODES, TONICS, Key
from studio.components.fields import number, offer, optional_number, seeds, whole
from studio.components.messages import HIDDEN, answering, state, state_line, stoppable, stops
from studio.components.songbook import keep, shelf, songbook, with_songs
from studio.folder import SONGS, StudioFolder
from studio.rooms.models import names_of

MOST_SONGS, MOST_BARS = 16, 128
"""The most that one press of a button makes."""

STEPS = 5
"""Phrases of an interpolation, both ends included."""

AS_LEARNED = "as learned"
KEYS = [AS_LEARNED, *(f"{tonic} {mode}" for mode in MODES for tonic in TONICS[mode])]

MAKING: dict[str, Any] = {"concurrency_id": "making", "concurrency_limit": 1}
"""Events that draw random numbers take turns."""

Value = dict[str, Any]
Answer = tuple[Value, str, int]
"""The songbook, the line of state, and the next seed."""


class Wishes(NamedTuple):
    """The settings of the room, in the order of its components."""

    model: str
    count: int
    bars: int
    seed: int
    form: str
    tempo: str
    key: str
    density: str
    temperature: str
    tracks: list[str]
    ending: bool

    def steering(self, form: str = "") -> Steering:
        """Return what steers the model; `ConfigError` for a key or density that there is not."""
        return Steering(
            temperature=optional_number("temperature", self.temperature, 0.01, 10),
            key=None if self.key == AS_LEARNED else Key.parse(self.key),
            density=density_of(self.density),
            form=form,
        )

    @property
    def tempo_bpm(self) -> float | None:
        """Return the tempo; None for those that the model has learned."""
        return optional_number("tempo", self.tempo, 10, 400)

    @property
    def seeds(self) -> range:
        """Return a seed for each song; `ConfigError` beyond the limits."""
        return seeds(self.seed, whole("songs", self.count, 1, MOST_SONGS))

    def composing(self, model: Model, besides: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the tracks to compose, without those that stay; none are all."""
        names = [track.name.lower() for track in model.spec.tracks]
        chosen = [name for name in self.tracks or names if name not in besides]
        if not chosen:
            raise ConfigError("all tracks are locked or off: leave one to compose")
        return () if chosen == names else tuple(chosen)


class SongRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    def model(self, name: str) -> Model:
        """Load a model that the room offers; `UserError` for another name."""
        return Model.load(self.folder.model(DOMAIN, name))

    # ---- what the buttons do

    def make(self, book: Value, *settings: Any) -> Iterator[Answer]:
        """Compose new songs, one by one, each of a seed of its own."""
        wishes = Wishes(*settings)
        model = self.model(wishes.model)
        form = "" if wishes.form.strip().lower() in ("", "auto") else wishes.form.strip()
        request = Request(tracks=wishes.composing(model), bars=_bars(wishes.bars), form=form)
        yield from self._compose(book, model, request, wishes.steering(form), wishes)

    def make_beside(self, book: Value, *settings: Any) -> Iterator[Answer]:
        """Compose the tracks of the open song that are not locked."""
        wishes, song, locked = Wishes(*settings), self._open(book), book["locked"]
        model = self.model(wishes.model)
        if not locked:
            raise ConfigError("lock the tracks that are to stay, then the others are made anew")
        request = Request(given=song, keep=tuple(locked), tracks=wishes.composing(model, locked))
        yield from self._compose(book, model, request, wishes.steering(), wishes)

    def fill(self, book: Value, bars: str, *settings: Any) -> Iterator[Answer]:
        """Compose some bars of the open song anew; locked tracks stay."""
        wishes, song = Wishes(*settings), self._open(book)
        model = self.model(wishes.model)
        tracks = wishes.composing(model, book["locked"])
        request = Request(given=song, fill=bars.strip(), tracks=tracks)
        yield from self._compose(book, model, request, wishes.steering(), wishes)

    def continue_song(self, book: Value, bars: int, *settings: Any) -> Iterator[Answer]:
        """Compose how the open song goes on."""
        wishes, song = Wishes(*settings), self._open(book)
        model = self.model(wishes.model)
        request = Request(continued=song, bars=_bars(bars), tracks=wishes.composing(model))
        yield from self._compose(book, model, request, wishes.steering(), wishes)

    def vary(self, book: Value, strength: float, *settings: Any) -> Iterator[Answer]:
        """Make variations of the open song, in the latent space of a model that encodes."""
        wishes, song = Wishes(*settings), self._open(book)
        model = self._with_encoder(wishes.model)
        count, seed = len(wishes.seeds), wishes.seeds.start
        yield book, state(f"{model.name} varies {song.stem}"), seed
        with tempfile.TemporaryDirectory() as aside:
            output = SongOutput(Path(aside), ("mid",))
            for path in latent_commands.vary(
                model, str(song), number("strength", strength, 0, 1), count, output, seed
            ):
                book = self._shelve(book, _read_back(path, model))
                yield book, state(f"{path.stem} is there"), seed + count

    def interpolate(self, book: Value, other: str, *settings: Any) -> Iterator[Answer]:
        """Walk from the open song to another one, in the latent space."""
        pair = book["pair"] or [book["open"], other]
        book = {**book, "pair": []}
        first, last = (self.folder.find(str(one)) for one in pair)
        wishes = Wishes(*settings)
        model = self._with_encoder(wishes.model)
        yield book, state(f"{model.name} goes from {first.stem} to {last.stem}"), wishes.seed
        with tempfile.TemporaryDirectory() as aside:
            ends, output = (str(first), str(last)), SongOutput(Path(aside), ("mid",))
            for path in latent_commands.interpolate(
                model, *ends, STEPS, output, wishes.seeds.start
            ):
                book = self._shelve(book, _read_back(path, model))
        yield book, state(f"from {first.stem} to {last.stem}"), wishes.seed

    def open_file(self, book: Value, file: str | None, name: str) -> tuple[Value, str]:
        """Put a MIDI file of the user's on the shelf, on the tracks of the model."""
        if file is None:
            return book, ""
        spec = self.model(name).spec
        source = Source.read(Path(file), spec.tracks, spec.grid)
        draft = accompaniment(source, [track.name for track in spec.tracks])
        roll = draft.finished(draft.kept_notes[:0], name=Path(file).stem)
        roll = replace(roll, composed=None, origin=source.song.origin)
        left_out = source.song.dropped_notes
        lost = f"; {left_out} notes have no place on its tracks" if left_out else ""
        return self._shelve(book, roll), state(f"{roll.name}: {roll.bars} bars{lost}")

    # ---- what they share

    def _compose(
        self, book: Value, model: Model, request: Request, steering: Steering, wishes: Wishes
    ) -> Iterator[Answer]:
        """Compose songs of successive seeds; the first one is opened as soon as it is there."""
        composition = Composition(model, request, steering, wishes.tempo_bpm, wishes.ending)
        count = len(wishes.seeds)
        for at, seed in enumerate(wishes.seeds):
            said = f"{model.name} makes song {at + 1} of {count}"
            yield book, state(said, at / count), seed
            book = self._shelve(book, composition.songs(1, seed)[0], is_opened=not at)
            yield book, state(said, (at + 1) / count), seed + 1
        yield book, state(f"{count} made"), wishes.seeds.stop

    def _shelve(self, book: Value, roll: Roll, is_opened: bool = True) -> Value:
        """Write a song into a take of its own, and show it."""
        drawn = keep(roll, self.folder.take(SONGS, roll.name))
        opened = self.folder.identity(drawn.with_suffix(".mid")) if is_opened else ""
        return with_songs(book, self.folder, opened)

    def _open(self, book: Value) -> Path:
        if not book["open"]:
            raise ConfigError("open a song first: make one, or bring one of yours")
        return self.folder.find(str(book["open"]))

    def _with_encoder(self, name: str) -> Model:
        """Load the model, or the shipped one that encodes songs where it has no encoder."""
        model = self.model(name)
        return model if "encoder" in model.networks else Model.load(DOMAIN.default_latent_run)

    # ---- what is shown

    def layout(self) -> None:
        """Lay out the room within the page."""
        names = names_of(self.folder, DOMAIN)
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                model = gr.Dropdown(names, value=names[0], label="Model")
                with gr.Row():
                    count = gr.Number(
                        1, label="Songs", precision=0, minimum=1, maximum=MOST_SONGS, min_width=80
                    )
                    bars = gr.Number(
                        16, label="Bars", precision=0, minimum=1, maximum=MOST_BARS, min_width=80
                    )
                    seed = gr.Number(1, label="Seed", precision=0, minimum=0, min_width=80)
                make = gr.Button("Make songs", variant="primary", elem_id="make-songs")
                stop = gr.Button("Stop", visible=False)
                line = state_line("songs-state")
                usual = [track.name.lower() for track in self.model(names[0]).spec.tracks]
                tracks = gr.CheckboxGroup(usual, value=usual, label="Tracks to compose")
                form = gr.Textbox(
                    "auto", label="Form", info="a letter for each section, as AABA", max_lines=1
                )
                with gr.Row():
                    tempo = gr.Textbox(
                        "", label="Tempo", placeholder=AS_LEARNED, max_lines=1, min_width=80
                    )
                    temperature = gr.Textbox(
                        "", label="Temperature", placeholder=AS_LEARNED, max_lines=1, min_width=80
                    )
                key = gr.Dropdown(KEYS, value=AS_LEARNED, label="Key")
                density = gr.Radio(list(DENSITIES), value="normal", label="Density")
                ending = gr.Checkbox(False, label="With an ending")
                own = gr.UploadButton(
                    "Open a MIDI file of yours", file_types=list(SONG_FILES), file_count="single"
                )
            column = gr.Column(scale=3, min_width=320)
            with column, songbook(shelf(self.folder)) as book, gr.Row(elem_classes="deeds"):
                with gr.Column(min_width=180):
                    gr.Markdown("Locked tracks stay, the others are composed anew.")
                    beside = gr.Button("Again, but keep the locked tracks", size="sm")
                with gr.Column(min_width=180):
                    filled = gr.Textbox(
                        "",
                        label="Bars",
                        placeholder="5-8: drag over the roll",
                        max_lines=1,
                        elem_id="fill-bars",
                    )
                    fill = gr.Button("Fill these bars", size="sm")
                with gr.Column(min_width=180):
                    more = gr.Number(
                        8, label="Bars to add", precision=0, minimum=1, maximum=MOST_BARS
                    )
                    continued = gr.Button("Continue", size="sm")
                with gr.Column(min_width=180):
                    strength = gr.Number(
                        0.3, label="Strength, 0 to 1", minimum=0, maximum=1, step=0.05
                    )
                    vary = gr.Button("Vary", size="sm")
                with gr.Column(min_width=180):
                    other = gr.Dropdown(
                        _choices(self.folder), label="Another song", elem_id="other-song"
                    )
                    interpolate = gr.Button("Interpolate", size="sm")

        settings = [
            model,
            count,
            bars,
            seed,
            form,
            tempo,
            key,
            density,
            temperature,
            tracks,
            ending,
        ]
        answers = [book, line, seed]
        deeds = [
            (make.click, self.make, []),
            (beside.click, self.make_beside, []),
            (fill.click, self.fill, [filled]),
            (continued.click, self.continue_song, [more]),
            (vary.click, self.vary, [strength]),
            (interpolate.click, self.interpolate, [other]),
            (book.submit, self.interpolate, [other]),
        ]
        events = []
        for listen, deed, own_inputs in deeds:
            inputs = [book, *own_inputs, *settings]
            event = stoppable(listen, deed, inputs, answers, stop, **MAKING)
            event.then(lambda: gr.update(choices=_choices(self.folder)), outputs=other, **HIDDEN)
            events.append(event)
        stops(stop, line, events)
        own.upload(answering(self.open_file), [book, own, model], [book, line], **HIDDEN)
        book.input(None, book, filled, js="(book) => book.bars ?? ''")
        model.change(
            answering(self.abilities),
            model,
            [form, key, density, temperature, tracks, ending],
            **HIDDEN,
        )
        self.on_load = (answering(self.refresh), [book, model], [book, model, other])

    def refresh(self, book: Value, model: str) -> list[Any]:
        """Return what the room shows when the page is loaded: its songs and models."""
        return [
            with_songs({**book, "open": ""}, self.folder),
            offer(names_of(self.folder, DOMAIN), model),
            gr.update(choices=_choices(self.folder)),
        ]

    def abilities(self, name: str) -> list[Any]:
        """Return which settings the model obeys, and its tracks."""
        model = self.model(name)
        names = [track.name.lower() for track in model.spec.tracks]
        obeyed = [
            gr.update(interactive=one in model.obeys)
            for one in ("form", "key", "density", "temperature")
        ]
        return [
            *obeyed,
            gr.update(choices=names, value=names),
            gr.update(interactive=model.sampler.completes),
        ]


def _bars(bars: float | None) -> int:
    return whole("bars", bars, 1, MOST_BARS)


def _read_back(path: Path, model: Model) -> Roll:
    """Read a song that a model wrote on its own grid, note for note."""
    song = read_midi(path, model.spec.tracks, model.spec.grid)
    return replace(song.roll(), name=path.stem, origin=song.origin)


def _choices(folder: StudioFolder) -> list[tuple[str, str]]:
    return [(f"{song['name']}, {song['detail']}", song["id"]) for song in shelf(folder)]
