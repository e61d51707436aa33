"""The files of a song: MIDI, sound, picture, its tracks alone and, on request, .npz, MusicXML."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from core.app.label import as_file_name
from core.app.output import Output
from musegen.files import audio
from musegen.files.label import Label, played, stem_of, unplayed
from musegen.files.midi import origin_of, write_midi
from musegen.files.programs import with_programs
from musegen.files.sound import Session
from musegen.playing.orchestra import Orchestra
from musegen.roll import Roll
from musegen.tracks import Track, numbers_of

FORMATS = ("mid", "png", *audio.FORMATS, "npz", "musicxml")
DEFAULT_FORMATS = ("mid", "wav", "png")


@dataclass(frozen=True)
class SongOutput(Output):
    """The folder and the formats of songs.

    `programs`: other sounds, see `with_programs`. `stems`: also write each track alone.
    `orchestra`: who plays, without it the instruments of the default soundfont; `players` are
    its names.
    """

    item: ClassVar[str] = "song"

    formats: tuple[str, ...] = DEFAULT_FORMATS
    stems: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)
    orchestra: Orchestra | None = None
    players: tuple[str, ...] = ()

    @property
    def sounds(self) -> str:
        """Return the sounds that are not those of the tracks, as options take them."""
        programs = (f"{track}={sound}" for track, sound in self.programs.items())
        return ", ".join([*programs, *self.players])

    @property
    def has_pictures(self) -> bool:
        return "png" in self.formats

    def require_tracks(self, tracks: Sequence[Track]) -> None:
        """Raise `ConfigError` where a program or a voice is for a track that there is not."""
        with_programs(tracks, self.programs)
        if self.orchestra:
            self.orchestra.require(tracks)

    def require_free(self, label: Label) -> None:
        """Raise `UserError` where another song has this one's name, or it has other sounds there.

        A .mid says which song has the name, of whichever formats others are.
        """
        if self.overwrite:
            return
        path, origin = self.folder / f"{label.name}.mid", played(label.origin, self.sounds)
        if path.exists():
            found = origin_of(path)
            is_same = found == origin if "mid" in self.formats else unplayed(found) == label.origin
            if not is_same:
                raise self.taken(path)
        for kind in self.formats:
            path = self.folder / f"{label.name}.{kind}"
            if kind in audio.CODINGS and path.exists() and audio.comment_of(path) != origin:
                raise self.taken(path)


def write_song(roll: Roll, to: SongOutput) -> Iterator[Path]:
    """Write NAME.mid, NAME.wav ..., and the tracks to NAME-stems/; yield each path once written.

    `UserError` where another song has the name, unless it can be overwritten.
    """
    tracks = with_programs(roll.tracks, to.programs)
    chosen = numbers_of([*to.programs], tracks, "--programs")
    layers = tuple(
        replace(one, program=None) if one.track in chosen else one for one in roll.layers
    )
    origin = played(roll.origin, to.sounds)
    song = _Song(replace(roll, tracks=tracks, layers=layers, origin=origin), to.orchestra)
    stem = to.folder / as_file_name(roll.name)
    files = {stem.with_name(f"{stem.name}.{kind}"): song.file(kind) for kind in to.formats}
    yield from to.write_all(files)
    if to.stems:
        folder = to.folder / f"{stem.name}-stems"
        folder.mkdir(exist_ok=True)
        for number, track in enumerate(tracks):
            if len(roll.notes.of(number)):
                yield from _write_stem(song, number, folder / as_file_name(track.name.lower()), to)


def _write_stem(song: "_Song", number: int, stem: Path, to: SongOutput) -> Iterator[Path]:
    for kind in to.formats:
        if kind in ("mid", *audio.FORMATS):
            path = stem.with_name(f"{stem.name}.{kind}")
            yield to.write(path, song.file(kind, number))


class _Song:
    """A song as the bytes of its files; its sound is synthesised once."""

    def __init__(self, roll: Roll, orchestra: Orchestra | None):
        self.roll, self.orchestra = roll, orchestra

    @cached_property
    def session(self) -> Session:
        return Session(self.roll, self.orchestra)

    def file(self, kind: str, track: int | None = None) -> bytes:
        """Return the file of one format; of one track, or of all."""
        if kind in audio.FORMATS:
            return audio.encode(self._sound(track), kind, self.tags(track))
        stream = io.BytesIO()
        if kind == "mid":
            if track is None:
                write_midi(self.roll, stream)
            else:
                write_midi(stem_of(self.roll, track), stream, [track])
        elif kind == "png":
            from musegen.files.picture import draw_roll  # matplotlib is needed for nothing else

            draw_roll(self.roll, stream)
        elif kind == "musicxml":
            from musegen.notation.writing import write_musicxml

            return write_musicxml(self.roll)
        else:
            from musegen.files.pianoroll import write_lpd

            write_lpd(self.roll, stream)
        return stream.getvalue()

    def _sound(self, track: int | None) -> audio.Audio:
        if track is None:
            return self.session.mix
        return self.session.stem(*self.session.performance.with_layers(track))

    def tags(self, track: int | None) -> dict[str, str]:
        """Return what a player shows of a sound."""
        part = "" if track is None else f": {self.roll.tracks[track].name}"
        about = {"title": f"{self.roll.name}{part}", "artist": "pianoreel"}
        return about | ({"comment": self.roll.origin} if self.roll.origin else {})
