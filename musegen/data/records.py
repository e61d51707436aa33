"""Records of songs: a file as columns on disk with its phrases, made by a reading process."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int
from pydantic import Field, field_validator

from core.app.label import GENERATED, is_generated
from core.config import Strict
from core.data.catalogue import concat_rows, lengths_of
from core.data.sources import RejectedFile, Source
from core.data.workers import Failure
from core.errors import ConfigError
from musegen.data.collection import NOTE_COLUMNS, cut_at_bars
from musegen.data.similarity import shapes
from musegen.files.label import is_stem
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.files.pianoroll import read_lpd
from musegen.reading.metres import Meter
from musegen.reading.song import Song
from musegen.roll import SIGNATURE, Grid
from musegen.tracks import LAKH, Track, are_known_by_names, proposed

MOST_STEPS = int(np.iinfo(NOTE_COLUMNS["step"]).max)


def grid_settings(meter: str, steps_per_quarter: int) -> dict[str, int]:
    """Return the settings of a grid in a metre; `ConfigError` for a text that is none.

    `meter`: a time signature, or any, whose bars are those of 4/4.

    >>> grid_settings("6/8", 12)
    {'steps_per_beat': 6, 'beats_per_bar': 6, 'beat_unit': 8}
    """
    signature = SIGNATURE.fullmatch("4/4" if meter == "any" else meter)
    if not signature:
        raise ConfigError(f"'{meter}' is no metre: --meter 3/4, 6/8 or any, for example")
    beats, unit = map(int, signature.groups())
    if 4 * steps_per_quarter % unit:
        raise ConfigError(
            f"{steps_per_quarter} steps of a quarter note do not divide into notes of 1/{unit}: "
            f"--steps-per-beat {max(unit // 4, 1) * (1 + steps_per_quarter // max(unit // 4, 1))}"
        )
    steps = 4 * steps_per_quarter // unit
    return {"steps_per_beat": steps, "beats_per_bar": beats, "beat_unit": unit}


class PrepareConfig(Strict):
    """The length of phrases, which of them are taken, and how they are split."""

    grid: Grid = Grid()
    tracks: tuple[Track, ...] = Field(default=LAKH, min_length=1, max_length=255)
    meter: Meter = "kept"
    pedal: bool = Field(
        default=True, description="notes sound until the pedal goes up that holds them"
    )
    pickup_beats: float = Field(
        default=0.0, ge=0, description="quarter notes before the first bar of every MIDI file"
    )
    bars: int = Field(default=16, gt=0, description="bars of a phrase")
    hop: int = Field(default=1, gt=0, description="bars from one phrase to the next")
    min_tracks: int = Field(default=3, gt=0, description="tracks that must sound in a phrase")
    test_share: float = Field(default=0.15, ge=0, lt=1, description="share of songs held out")
    seed: int = Field(default=0, ge=0, description="seed of the split and of the band")
    limits: MusicLimits = MusicLimits()

    @field_validator("grid")
    @classmethod
    def _has_room(cls, grid: Grid) -> Grid:
        if grid.steps_per_bar > MOST_STEPS:
            raise ValueError(
                f"a bar has {grid.steps_per_bar} steps, at most {MOST_STEPS} are stored: choose "
                "fewer steps a beat"
            )
        return grid

    @property
    def tracks_needed(self) -> int:
        return min(self.min_tracks, len(self.tracks))


@dataclass(frozen=True)
class SongRecord:
    """A song as columns.

    `phrases`: first bars; `content`: a digest of its notes; `answers`: facts about a song of the
    procedural band. `file_notes`: how many notes its file has; `unclaimed`: those that no track
    claims, by program. `doubts`: those of the `Song`, and how its bars are counted.
    """

    name: str
    columns: dict[str, np.ndarray]
    tempo_bpm: np.ndarray
    shapes: np.ndarray
    phrases: np.ndarray
    content: str
    answers: dict[str, Any] | None = None
    file_notes: int = 0
    unclaimed: Mapping[int, int] = field(default_factory=dict)
    doubts: Sequence[str] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """Return the notes that are stored beside its columns."""
        keys = ("name", "content", "answers", "file_notes", "unclaimed", "doubts")
        facts = {key: getattr(self, key) for key in keys}
        return {**facts, "bars": len(self.tempo_bpm)}


def read_source(source: Source, config: PrepareConfig, lpd: bool = False) -> SongRecord | Failure:
    """Read a source as a song, or return the reason why it is rejected."""
    shared = (config.tracks, config.grid, config.meter, config.limits, source.stem)
    try:
        data = source.read(config.limits)
        if lpd:
            return pack(read_lpd(data, *shared), config)
        song = read_midi(data, *shared, config.pedal, config.pickup_beats)
        if is_stem(song.origin):
            raise RejectedFile("stem", f"{song.origin}: the song itself counts, not its tracks")
        return pack(song, config)
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def pack(song: Song, config: PrepareConfig, answers: dict[str, Any] | None = None) -> SongRecord:
    """Convert a song to columns and find its phrases; `RejectedFile` if it has none."""
    columns = cut_at_bars(song.notes, song.bars, song.grid)
    phrases = _phrases(song, columns, config)
    if not len(phrases):
        raise RejectedFile("no-phrase", _why_none(song, columns, config))
    what = (columns[key] for key in columns if key != "velocity")  # louder, it is the same song
    content = hashlib.sha256(b"".join(column.tobytes() for column in what))
    drums = np.array([track.is_drum for track in song.tracks])
    return SongRecord(
        song.name,
        columns,
        song.tempo_bpm.astype(np.float32),
        shapes(song.notes, drums),
        phrases,
        content.hexdigest(),
        answers,
        sum(song.claims.notes),
        song.claims.unclaimed,
        [*song.regroupings, *song.doubts, *[GENERATED] * is_generated(song.origin)],
    )


def _phrases(song: Song, columns: dict[str, np.ndarray], config: PrepareConfig) -> np.ndarray:
    """Return the first bars of phrases: within one stretch, with enough tracks sounding."""
    first, sounding = _tracks_sounding(song, columns, config)
    return first[sounding >= config.tracks_needed].astype(np.int32)


def _tracks_sounding(
    song: Song, columns: dict[str, np.ndarray], config: PrepareConfig
) -> tuple[Int[np.ndarray, " phrase"], Int[np.ndarray, " phrase"]]:
    """Return the first bar of each possible phrase, and how many tracks sound in it."""
    tracks = len(song.tracks)
    bar = np.repeat(np.arange(1, 1 + song.bars), columns["notes_in_bar"])
    notes = np.bincount(bar * tracks + columns["track"], minlength=(1 + song.bars) * tracks)
    before = np.cumsum(notes.reshape(-1, tracks), 0)  # [bar+1 track]
    phrases = (np.arange(a, a + n - config.bars + 1, config.hop) for a, n in song.stretches)
    first = np.concatenate([*phrases])
    return first, (before[first + config.bars] > before[first]).sum(1)


def _why_none(song: Song, columns: dict[str, np.ndarray], config: PrepareConfig) -> str:
    """Return why a song has no phrase, and the option that would give it some."""
    _, sounding = _tracks_sounding(song, columns, config)
    if not len(sounding) and song.counting.other_metre:
        found, why = song.counting.other_metre
        return f"few bars are in the metre, {why}: --meter {found}"
    if not len(sounding):
        longest = max(bars for _, bars in song.stretches)
        if longest == 1:  # of phrases of one bar no model learns how bars follow one another
            return "no 2 successive bars in the metre: too short for a phrase"
        return f"only {longest} successive bars in the metre: --bars {longest}"
    most = int(sounding.max())
    if not most:
        return f"no {config.bars} successive bars in which a track sounds"
    says = "only 1 track sounds" if most == 1 else f"only {most} tracks sound"
    name = proposed(song.claims.parts) if config.tracks == LAKH else None
    if config.tracks == LAKH and not name and are_known_by_names(song.claims.parts):
        return f"{says}, as parts have names alone: --tracks mine.yaml, see docs/tracks.md"
    return f"{says}: --tracks {name}" if name else f"{says}: --min-tracks {most}"


def columns_of(songs: Sequence[SongRecord]) -> dict[str, np.ndarray]:
    """Concatenate the columns of songs; for ragged ones also return each song's length."""
    kinds = {**NOTE_COLUMNS, "notes_in_bar": np.uint32}
    columns = {
        name: concat_rows([song.columns[name] for song in songs], kind)
        for name, kind in kinds.items()
    }
    columns["tempo_bpm"] = concat_rows([song.tempo_bpm for song in songs], np.float32)
    for name, kind in (("shapes", np.uint32), ("phrases", np.int32)):
        parts = [getattr(song, name) for song in songs]
        columns[name] = concat_rows(parts, kind)
        columns[f"{name}_of_source"] = lengths_of(parts)
    return columns
