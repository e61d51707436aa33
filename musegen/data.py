"""Songs -> phrases on disk.

    prepare(["songs/"], to="data/songs")        MIDI files, folders, archives
    prepare_band(200, to="data/band")           the procedural band, with its known answers

Files are read in child processes and written shard by shard, so that neither a bad file nor a large
collection does harm, and a preparation that was killed goes on where it stopped.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from core.config import Limits, Strict, UserError
from core.store import read_notes, write_index, write_rejects, write_shard
from core.workers import Lost, work
from musegen.collection import NOTE_COLUMNS, Collection, cut_at_bars
from musegen.midi import Meter, RejectedFile, read_midi
from musegen.midi import Song as ReadSong
from musegen.pianoroll import read_lpd
from musegen.roll import Grid
from musegen.similarity import clusters, sketch
from musegen.sources import MIDI, Source, find
from musegen.tracks import TRACK_LISTS, Track

SOURCES_PER_SHARD = 256


class PrepareConfig(Strict):
    """What a phrase is and which are taken."""

    grid: Grid = Grid()
    tracks: tuple[Track, ...] = TRACK_LISTS["lakh"]
    meter: Meter = "kept"
    bars: int = Field(4, gt=0, description="bars of a phrase")
    hop: int = Field(1, gt=0, description="bars from one phrase to the next")
    min_tracks: int = Field(3, gt=0, description="tracks that must sound in a phrase")
    test_share: float = Field(0.15, ge=0, lt=1, description="share of songs held out")
    seed: int = 0
    limits: Limits = Limits()

    @property
    def tracks_needed(self) -> int:
        return min(self.min_tracks, len(self.tracks))


@dataclass(frozen=True)
class Summary:
    """What became of the sources."""

    folder: Path
    sources: int
    songs: int
    phrases: dict[str, int]
    rejects: Counter[str]

    @property
    def lines(self) -> list[str]:
        rejected = sum(self.rejects.values())
        lines = [
            f"{self.sources} files: {self.songs} kept, {rejected} rejected",
            f"{self.phrases['train']} phrases to train on, {self.phrases['test']} held out",
        ]
        return lines + [f"  {count:5} {reason}" for reason, count in self.rejects.most_common()]


Tick = Callable[[int, int], None]
"""Called with (sources done, sources in all)."""


def prepare(
    sources: Sequence[str],
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    lpd: bool = False,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Read all sources into the folder `to`; every file ends as kept or as a line of rejects.jsonl.

    `lpd`: the sources are `.npz` of the Lakh Pianoroll Dataset. Raises `UserError` where nothing can
    be kept.
    """
    found = find(sources, {".npz"} if lpd else MIDI, config.limits)
    if not found:
        wanted = ".npz" if lpd else "MIDI"
        raise UserError(f"no {wanted} file in {', '.join(sources)}")
    read = partial(read_source, config=config, lpd=lpd)
    folder = _begin(Path(to), config, [source.name for source in found])
    for number, chunk in enumerate(_chunks(found)):
        if read_notes(folder, number) is None:
            songs = work(read, chunk, jobs, config.limits.seconds, config.limits.memory_mb)
            _write(folder, number, [s.name for s in chunk], songs)
        tick(min((number + 1) * SOURCES_PER_SHARD, len(found)), len(found))
    return _finish(folder, config, len(found))


def _begin(folder: Path, config: PrepareConfig, names: list[str]) -> Path:
    """The folder, empty or with finished shards of the same preparation."""
    asked = json.dumps([config.model_dump(mode="json"), names])
    mark = folder / "prepare.sha256"
    wanted = hashlib.sha256(asked.encode()).hexdigest()
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise UserError(f"{folder} holds other files: choose an empty or a new folder")
        if mark.read_text() != wanted:
            raise UserError(f"{folder} was prepared from other files or settings: choose another")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(wanted)
    return folder


def _chunks(sources: list[Source]) -> Iterator[list[Source]]:
    for first in range(0, len(sources), SOURCES_PER_SHARD):
        yield sources[first : first + SOURCES_PER_SHARD]


@dataclass(frozen=True)
class Packed:
    """A song as it goes to disk."""

    name: str
    columns: dict[str, np.ndarray]
    tempo_bpm: np.ndarray
    sketch: np.ndarray
    phrases: np.ndarray
    content: str


def read_source(source: Source, config: PrepareConfig, lpd: bool = False) -> Packed | Lost:
    """A source as a song, or why not; runs in a child process."""
    try:
        data = source.read(config.limits)
        reader = read_lpd if lpd else read_midi
        name = Path(source.member or source.path).stem
        song = reader(data, config.tracks, config.grid, config.meter, config.limits, name)
        return pack(song, config)
    except RejectedFile as error:
        return Lost(error.reason, error.detail)


def pack(song: ReadSong, config: PrepareConfig) -> Packed:
    """The columns of a song and its phrases; `RejectedFile` where it has none."""
    columns = cut_at_bars(song.notes, song.bars, song.grid)
    phrases = _phrases(song, columns, config)
    if not len(phrases):
        needed = f"{config.bars} bars in a row with {config.tracks_needed} tracks"
        raise RejectedFile("no-phrase", f"nowhere {needed} sounding")
    drums = np.array([track.is_drum for track in song.tracks])
    content = hashlib.sha256()
    for name in NOTE_COLUMNS:
        content.update(columns[name].tobytes())
    tempo = song.tempo_bpm.astype(np.float32)
    shapes = sketch(song.notes, drums)
    return Packed(song.name, columns, tempo, shapes, phrases, content.hexdigest())


def _phrases(song: ReadSong, columns: dict[str, np.ndarray], config: PrepareConfig) -> np.ndarray:
    """First bars of the phrases: within one stretch, with enough tracks sounding."""
    bar = np.repeat(np.arange(song.bars), columns["notes_in_bar"])
    sounds = np.zeros((song.bars, len(song.tracks)), bool)
    sounds[bar, columns["track"]] = True
    firsts = [
        first
        for start, bars in song.stretches
        for first in range(start, start + bars - config.bars + 1, config.hop)
        if sounds[first : first + config.bars].any(0).sum() >= config.tracks_needed
    ]
    return np.array(firsts, dtype=np.int64)


def _write(folder: Path, number: int, names: list[str], songs: Iterable[Packed | Lost]) -> None:
    """One shard: the songs' columns in a row, and a note of each source."""
    kept: list[Packed] = []
    notes: list[dict[str, Any]] = []
    for name, song in zip(names, songs, strict=True):
        if isinstance(song, Lost):
            notes.append({"source": name, "reason": song.reason, "detail": song.detail})
        else:
            kept.append(song)
            bars = len(song.tempo_bpm)
            notes.append(
                {"source": name, "name": song.name, "bars": bars, "content": song.content}
            )
    columns = {
        name: _joined([song.columns[name] for song in kept], kind)
        for name, kind in {**NOTE_COLUMNS, "notes_in_bar": np.uint32}.items()
    }
    columns["tempo_bpm"] = _joined([song.tempo_bpm for song in kept], np.float32)
    for name, kind in (("sketch", np.uint64), ("phrases", np.int64)):
        parts = [getattr(song, name) for song in kept]
        columns[name] = _joined(parts, kind)
        columns[f"{name}_of_song"] = np.array([len(part) for part in parts], dtype=np.int64)
    write_shard(folder, number, columns, {"sources": notes})


def _joined(parts: list[np.ndarray], kind: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


def _finish(folder: Path, config: PrepareConfig, sources: int) -> Summary:
    """Find duplicates, split by cluster, index the phrases, write the summary and the picture."""
    found = _Found.of(folder)
    songs, phrases = found.index(config)
    rejects = found.rejects
    write_rejects(folder, rejects)
    counted = Counter(reason for _, reason, _ in rejects)
    if not songs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counted.most_common())
        raise UserError(f"no song could be kept of {sources} files ({reasons}); see {folder}/rejects.jsonl")
    facts = {
        "domain": "music",
        **config.model_dump(mode="json", include={"grid", "tracks", "bars", "hop", "seed"}),
        "songs": songs,
    }
    write_index(folder, found.shards, facts, phrases)
    test = int(phrases["is_test"].sum())
    counts = {"train": len(phrases["is_test"]) - test, "test": test}
    summary = Summary(folder, sources, len(songs), counts, counted)
    (folder / "summary.txt").write_text("\n".join(summary.lines) + "\n")
    _draw(folder)
    return summary


def _draw(folder: Path) -> None:
    from musegen.portrait import draw_collection

    draw_collection(Collection.open(folder), folder / "collection.png")


@dataclass
class _Found:
    """All finished shards of a preparation."""

    shards: int
    notes: list[dict[str, Any]]
    sketches: list[np.ndarray]
    phrases: list[np.ndarray]
    place: list[tuple[int, int]]
    rejects: list[tuple[str, str, str]]

    @classmethod
    def of(cls, folder: Path) -> "_Found":
        found = cls(0, [], [], [], [], [])
        while (shard := read_notes(folder, found.shards)) is not None and shard:
            found._add(folder, shard["sources"])
        return found

    def _add(self, folder: Path, notes: list[dict[str, Any]]) -> None:
        def column(name: str) -> np.ndarray:
            return np.load(folder / f"shard-{self.shards:05d}" / f"{name}.npy")

        bar = 0
        for note in notes:
            if "reason" in note:
                self.rejects.append((note["source"], note["reason"], note["detail"]))
            else:
                self.notes.append(note)
                self.place.append((self.shards, bar))
                bar += note["bars"]
        for name, kept in (("sketch", self.sketches), ("phrases", self.phrases)):
            ends = np.cumsum(column(f"{name}_of_song"))
            kept += np.split(column(name), ends)[:-1]
        self.shards += 1

    def index(self, config: PrepareConfig) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """The songs that are kept, and for each phrase its song, shard, bar and split."""
        owner = clusters(self.sketches)
        first: dict[str, str] = {}
        songs: list[dict[str, Any]] = []
        parts: list[tuple[int, ...]] = []
        tested = _tested(owner, config)
        for number, note in enumerate(self.notes):
            same = first.setdefault(note["content"], note["source"])
            if same != note["source"]:
                self.rejects.append((note["source"], "duplicate", f"the same notes as {same}"))
                continue
            is_test = owner[number] in tested
            shard, bar = self.place[number]
            parts += [(len(songs), shard, bar + int(b), is_test) for b in self.phrases[number]]
            song = {k: note[k] for k in ("name", "source", "bars")}
            split = "test" if is_test else "train"
            songs.append(song | {"split": split, "cluster": int(owner[number])})
        table = np.array(parts, dtype=np.int64).reshape(-1, 4)
        whole = dict(zip(("song", "shard", "bar"), table.T, strict=False))
        return songs, whole | {"is_test": table[:, 3].astype(bool)}


def _tested(owner: np.ndarray, config: PrepareConfig) -> set[int]:
    """The clusters that are held out: a share of them, at least one where there are two."""
    names = sorted(set(owner.tolist()))
    random.Random(config.seed).shuffle(names)
    count = round(config.test_share * len(names))
    if config.test_share and len(names) > 1:
        count = max(1, count)
    return set(names[:count])


def prepare_band(
    count: int, to: str | Path, config: PrepareConfig = PrepareConfig()
) -> Summary:
    """Songs of the procedural band, and what is known of each in answers.jsonl."""
    from musegen.band import songs
    from musegen.midi import song_of

    folder = _begin(Path(to), config, [f"band {count}"])
    names = [f"band-{config.seed}-{number:05d}" for number in range(count)]
    answers: list[str] = []

    def played() -> Iterator[Packed | Lost]:
        for name, (roll, answer) in zip(names, songs(count, config.seed, config.grid), strict=True):
            answers.append(json.dumps({"song": name} | asdict(answer)))
            yield pack(song_of(roll, name), config)

    _write(folder, 0, names, played())
    (folder / "answers.jsonl").write_text("\n".join(answers) + "\n")
    return _finish(folder, config, count)
