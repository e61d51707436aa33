"""The room of songs: make them, hear and see them, lock tracks and have the rest composed anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from core.app import latent_commands
from core.errors import ConfigError
from core.files import temporary_folder
from core.wording import counted
from musegen.composition.composition import Composition
from musegen.composition.request import Request
from musegen.drafts.source import Source
from musegen.drafts.wishes import accompaniment
from musegen.files.midi import read_midi
from musegen.files.song import SongOutput
from musegen.model import DOMAIN, Model
from musegen.playing.orchestra import Orchestra
from musegen.reading.metres import Meter
from musegen.roll import Roll
from musegen.voice.model import DOMAIN as VOICES
from studio.components.fields import number, offer, pickup_beats, whole
from studio.components.markup import escaped
from studio.components.messages import ASIDE, HIDDEN, answering, ended, state, stoppable, stops
from studio.components.songbook import keep, replay, shelf, songbook, with_songs
from studio.folder import SONGS, StudioFolder, swept
from studio.following import Drawing
from studio.rooms.models import names_of
from studio.rooms.song_fields import STEERED, Deeds, SongFields
from studio.rooms.wishes import INSTRUMENTS, MOST_BARS, Wishes

STEPS = 5
"""Phrases of an interpolation, both ends included."""

MAKING: dict[str, Any] = {"concurrency_id": "making", "concurrency_limit": 1}
"""Events that draw random numbers take turns."""

Value = dict[str, Any]
Answer = tuple[Value, str, int]
"""The songbook, the line of state, and the next seed."""


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

        def asked(model: Model) -> Request:
            tracks, bars = wishes.composing(model), _bars(wishes.bars)
            return Request(tracks=tracks, bars=bars, form=wishes.letters)

        yield from self._compose(book, wishes, asked, wishes.letters)

    def make_beside(self, book: Value, *settings: Any) -> Iterator[Answer]:
        """Compose the tracks of the open song that are not locked."""
        wishes, song, locked = Wishes(*settings), self._open(book), book["locked"]
        if not locked:
            raise ConfigError("lock the tracks that are to stay, then the others are made anew")

        def asked(model: Model) -> Request:
            tracks = wishes.composing(model, locked)
            return Request(given=song, keep=tuple(locked), tracks=tracks)

        yield from self._compose(book, wishes, asked)

    def fill(self, book: Value, bars: str, *settings: Any) -> Iterator[Answer]:
        """Compose some bars of the open song anew; locked tracks stay."""
        wishes, song, locked = Wishes(*settings), self._open(book), book["locked"]

        if not bars.strip():
            raise ConfigError("give the bars to compose anew, such as 5-8, or drag over the roll")

        def asked(model: Model) -> Request:
            return Request(given=song, fill=bars.strip(), tracks=wishes.composing(model, locked))

        yield from self._compose(book, wishes, asked)

    def continue_song(self, book: Value, bars: int, *settings: Any) -> Iterator[Answer]:
        """Compose how the open song goes on."""
        wishes, song = Wishes(*settings), self._open(book)

        def asked(model: Model) -> Request:
            more = _bars(bars, "bars to add")
            return Request(continued=song, bars=more, tracks=wishes.composing(model))

        yield from self._compose(book, wishes, asked)

    def remix(self, book: Value, form: str, bars: int, *settings: Any) -> Iterator[Answer]:
        """Play the sections of the open song in another order; new letters are composed."""
        wishes, song, letters = Wishes(*settings), self._open(book), form.strip().upper()
        if not letters:
            raise ConfigError("give the order of the sections, a letter for each, such as ABAC")

        def asked(model: Model) -> Request:
            each, tracks = _bars(bars, "bars of each"), wishes.composing(model)
            return Request(remixed=song, form=letters, section_bars=each, tracks=tracks)

        yield from self._compose(book, wishes, asked)

    def lead(self, book: Value, other: str, bars: int, *settings: Any) -> Iterator[Answer]:
        """Compose what leads from the open song to another one."""
        wishes, pair = Wishes(*settings), (self._open(book), self._other(other))

        def asked(model: Model) -> Request:
            between = _bars(bars, "bars between")
            return Request(between=pair, bars=between, tracks=wishes.composing(model))

        yield from self._compose(book, wishes, asked)

    def vary(self, book: Value, strength: float, *settings: Any) -> Iterator[Answer]:
        """Make variations of the open song, in the latent space of a model that encodes."""
        wishes, song = Wishes(*settings), self._open(book)
        model, strong = self._with_encoder(wishes.model), number("strength", strength, 0, 1)
        count, seed = len(wishes.seeds), wishes.seeds.start
        said = f"{model.name} varies {song.stem}"
        yield from self._walk(
            book,
            said,
            wishes,
            seed + count,
            lambda to: latent_commands.vary(model, str(song), strong, count, to, seed),
            model,
        )

    def interpolate(self, book: Value, other: str, *settings: Any) -> Iterator[Answer]:
        """Walk from the open song to another one, in the latent space."""
        wishes, pair = Wishes(*settings), book["pair"] or [book["open"], other]
        first, last = (self._other(one) for one in pair)
        model, seed = self._with_encoder(wishes.model), wishes.seeds.start
        said = f"{model.name} goes from {first.stem} to {last.stem}"
        yield from self._walk(
            {**book, "pair": []},
            said,
            wishes,
            seed,
            lambda to: latent_commands.interpolate(model, str(first), str(last), STEPS, to, seed),
            model,
        )

    def play(self, book: Value, *settings: Any) -> Iterator[Answer]:
        """Play the open song, note for note, in the voice that is chosen."""
        wishes, song = Wishes(*settings), self._open(book)
        orchestra = wishes.orchestra(self.folder)
        said = f"-in-{wishes.voice}-{wishes.timbre}" if orchestra else "-by-its-instruments"

        def played() -> Path:
            with swept(self.folder.take(SONGS, song.stem)) as take:
                return replay(song, take, f"{song.stem}{said}", orchestra)

        work = Drawing(played)
        for seconds in work.steps():
            yield gr.skip(), state(f"playing {song.stem}, {seconds:.0f} s"), wishes.seed
        said = ended(f"{work.result.stem} is there", work.remarks)
        yield self._shown(book, work.result), said, wishes.seed

    def open_file(
        self, book: Value, file: str | None, name: str, before: float | None, meter: Meter
    ) -> tuple[Value, str]:
        """Put a MIDI file of the user's on the shelf, on the tracks of the model.

        `before`: the quarter notes of its pickup. `meter`: see `read_midi`.
        """
        if file is None:
            return book, ""
        spec = self.model(name).spec
        source = Source.read(Path(file), spec.tracks, spec.grid, pickup_beats(before), meter)
        draft = accompaniment(source, [track.name for track in spec.tracks])
        roll = draft.finished(draft.kept_notes[:0], name=Path(file).stem)
        roll = replace(roll, composed=None, origin=source.song.origin)
        drawn = self._kept(roll)
        said = f"{roll.name}: {counted(roll.bars, 'bar')}"
        return self._shown(book, drawn), ended(said, source.remarks)

    # ---- what they share

    def _compose(
        self, book: Value, wishes: Wishes, asked: Callable[[Model], Request], form: str = ""
    ) -> Iterator[Answer]:
        """Compose songs of successive seeds; the first one is opened as soon as it is there."""
        steered = wishes.steering(form), wishes.tempo_bpm, wishes.ending
        count, of_each, orchestra = (
            len(wishes.seeds),
            wishes.of_each,
            wishes.orchestra(self.folder),
        )
        model = self.model(wishes.model)
        request = asked(model)
        judging = Drawing(lambda: wishes.judge(self.folder, model))
        for seconds in judging.steps():
            yield gr.skip(), state(f"{model.name} begins, {seconds:.0f} s"), wishes.seed
        model.judge = judging.result or model.judge
        best_of = of_each if of_each > 1 else None
        composition = Composition(model, request, *steered, best_of)
        remarks: list[str] = []
        for at, seed in enumerate(wishes.seeds):

            def song(seed: int = seed) -> Path:
                return self._kept(composition.songs(1, seed)[0], orchestra)

            work, said = Drawing(song), f"{model.name} makes song {at + 1} of {count}"
            for seconds in work.steps():
                yield gr.skip(), state(f"{said}, {seconds:.0f} s", at / count), seed
            remarks += work.remarks
            book = self._shown(book, work.result, is_opened=not at)
            yield book, state(said, (at + 1) / count), seed + 1
        yield book, ended(f"{count} made", remarks), wishes.seeds.stop

    def _walk(
        self,
        book: Value,
        said: str,
        wishes: Wishes,
        following: int,
        walk: Callable[[SongOutput], Iterator[Path]],
        model: Model,
    ) -> Iterator[Answer]:
        """Keep the songs of a walk through a latent space, and open the last one."""
        orchestra = wishes.orchestra(self.folder)

        def songs() -> list[Path]:
            with temporary_folder() as aside:
                paths = walk(SongOutput(aside, ("mid",)))
                return [self._kept(_read_back(path, model), orchestra) for path in paths]

        work = Drawing(songs)
        for seconds in work.steps():
            yield gr.skip(), state(f"{said}, {seconds:.0f} s"), wishes.seed
        for drawn in work.result:
            book = self._shown(book, drawn)
        yield book, ended(f"{said}: {len(work.result)} made", work.remarks), following

    def _kept(self, roll: Roll, orchestra: Orchestra | None = None) -> Path:
        """Write a song into a take of its own, of which nothing stays where it is stopped."""
        with swept(self.folder.take(SONGS, roll.name)) as take:
            return keep(roll, take, orchestra)

    def _shown(self, book: Value, drawn: Path, is_opened: bool = True) -> Value:
        """Show a song that is kept."""
        opened = self.folder.identity(drawn.with_suffix(".mid")) if is_opened else ""
        return with_songs(book, self.folder, opened)

    def _open(self, book: Value) -> Path:
        if not book["open"]:
            raise ConfigError("open a song first: make one, or bring one of yours")
        return self.folder.find(str(book["open"]))

    def _other(self, identity: str | None) -> Path:
        if not identity:
            raise ConfigError("choose another song, or drag one of the shelf onto another")
        return self.folder.find(str(identity))

    def _with_encoder(self, name: str) -> Model:
        """Load the model, or the shipped one that encodes songs where it has no encoder."""
        model = self.model(name)
        return model if "encoder" in model.networks else Model.load(DOMAIN.default_latent_run)

    # ---- what is shown

    def layout(self) -> None:
        """Lay out the room within the page."""
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                names = names_of(self.folder, DOMAIN)
                form = SongFields(names, self.voices(), *tracks_of(self.model(names[0])))
            with (
                gr.Column(scale=3, min_width=320),
                songbook() as book,
                gr.Row(elem_classes="deeds"),
            ):
                deeds = Deeds(_choices(self.folder))
        answers = [book, form.line, form.seed]
        pressed = [
            (form.make.click, self.make, []),
            (form.play.click, self.play, []),
            (deeds.beside.click, self.make_beside, []),
            (deeds.fill.click, self.fill, [deeds.filled]),
            (deeds.go_on.click, self.continue_song, [deeds.more]),
            (deeds.vary.click, self.vary, [deeds.strength]),
            (deeds.remix.click, self.remix, [deeds.order, deeds.section]),
            (deeds.lead.click, self.lead, [deeds.other, deeds.between]),
            (deeds.interpolate.click, self.interpolate, [deeds.other]),
            (book.submit, self.interpolate, [deeds.other]),
        ]
        events = []
        for listen, deed, own in pressed:
            inputs = [book, *own, *form.wishes]
            event = stoppable(listen, deed, inputs, answers, form.stop, **MAKING)
            event.then(self.others, outputs=deeds.other, **ASIDE)
            events.append(event)
        stops(form.stop, form.line, events)
        opened = [book, form.own, form.model, form.pickup, form.meter], [book, form.line]
        form.own.upload(answering(self.open_file), *opened, **HIDDEN)
        book.input(None, book, deeds.filled, js="(book) => book.bars ?? ''")
        form.model.change(answering(self.abilities), form.model, form.steered, **ASIDE)
        asked = [book, form.model, form.voice]
        self.on_entry = (answering(self.refresh), asked, [*asked, deeds.other, form.said])

    def refresh(self, book: Value, model: str, voice: str) -> list[Any]:
        """Return what the room shows when it is entered: its songs, models and voices."""
        return [
            with_songs(book, self.folder),
            offer(names_of(self.folder, DOMAIN), model),
            offer(self.voices(), voice),
            self.others(),
            self.abilities(model)[0],
        ]

    def others(self) -> Any:
        """Return the update of the field that offers the songs of the shelf."""
        return gr.update(choices=_choices(self.folder))

    def voices(self) -> list[str]:
        """Return who can play: the tracks' instruments, voices that ship, and runs of voices."""
        return [INSTRUMENTS, *names_of(self.folder, VOICES)]

    def abilities(self, name: str) -> list[Any]:
        """Return what is said of a model, which settings it obeys, and its tracks."""
        model = self.model(name)
        names, melodic = tracks_of(model)
        obeyed = [one for one in STEERED if one in model.obeys]
        completes = model.sampler().completes
        steered = f"Obeys {', '.join(obeyed)}." if obeyed else "Plays as it has learned."
        joins = "Fills, continues and joins your songs." if completes else "Makes new songs only."
        return [
            f'<p class="quiet">{escaped(f"{steered} {joins}")}</p>',
            *(gr.update(interactive=one in obeyed) for one in STEERED),
            gr.update(choices=names, value=names),
            gr.update(interactive=completes),
            gr.update(choices=melodic, value=[]),
        ]


def tracks_of(model: Model) -> tuple[list[str], list[str]]:
    """Return the names of a model's tracks, as requests take them: all, and without drums."""
    named = [(track.name.lower(), track.is_drum) for track in model.spec.tracks]
    return [name for name, _ in named], [name for name, is_drum in named if not is_drum]


def _bars(bars: float | None, field: str = "bars") -> int:
    return whole(field, bars, 1, MOST_BARS)


def _read_back(path: Path, model: Model) -> Roll:
    """Read a song that a model wrote on its own grid, note for note."""
    song = read_midi(path, model.spec.tracks, model.spec.grid)
    return replace(song.roll(), name=path.stem, origin=song.origin)


def _choices(folder: StudioFolder) -> list[tuple[str, str]]:
    return [(f"{song['name']}, {song['detail']}", song["id"]) for song in shelf(folder)]
