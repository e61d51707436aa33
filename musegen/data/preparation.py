"""The preparation of songs: files -> phrases on disk.

    prepare(["songs/"], to="data/songs")                    MIDI files, folders, archives
    prepare_part(["songs/"], "data/songs", Part(3, 8))      the third of eight parts of them
    prepare_band(200, to="data/band")                       songs of the procedural band, with
                                                            their answers

See `core.data.preparation` for what both guarantee.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from core.config import whole
from core.data import preparation
from core.data.catalogue import Catalogue, lengths_of
from core.data.preparation import (
    Job,
    Part,
    PartSummary,
    Tick,
    open_preparation,
    pieces_by_split,
    prepare_shards,
)
from core.data.sources import RejectedFile, expand_patterns, iterate_sources, scan
from core.data.store import write_index
from core.data.workers import Failure
from core.errors import ConfigError, UserError
from core.files import write_text
from core.wording import counted, nearest
from musegen.data.band import STYLES, song
from musegen.data.catalogue import cluster, phrases_of
from musegen.data.collection import Collection
from musegen.data.records import PrepareConfig, SongRecord, columns_of, pack, read_source
from musegen.files.pianoroll import LPD
from musegen.reading.song import Song
from musegen.smf.chunks import SONG_FILES
from musegen.tracks import LAKH, instrument_of

LARGEST_BAND = 1_000_000
"""Songs of a collection of the procedural band: they take days, and gigabytes."""
NOTABLE_SHARE = 0.05
"""A larger share of notes that no track claims is pointed out."""

SHOWN_INSTRUMENTS = 3


@dataclass(frozen=True)
class Summary(preparation.Summary):
    """The numbers of files and phrases that were kept or rejected.

    `unclaimed`: how many notes of the kept songs no track claims, by instrument; `unclaimed_share`
    of all their notes. `doubts`: what kept songs leave open, and how many do.
    """

    SOURCE = "song"
    PIECE = "phrase"
    RECOMMENDED_PIECES = 500
    HOW_TO_GET_MORE = "More songs or fewer --min-tracks give more"
    WHY_NO_TEST_DATA = "all files are near-duplicates of one song"

    unclaimed: Counter[str] = field(default_factory=Counter)
    unclaimed_share: float = 0.0
    doubts: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> list[str]:
        lines = super().lines
        if self.unclaimed_share >= NOTABLE_SHARE:
            names = ", ".join(name for name, _ in self.unclaimed.most_common(SHOWN_INSTRUMENTS))
            lines.append(
                f"{self.unclaimed_share:.0%} of the notes are left out: no track plays {names}. A "
                "track with rest: true takes all that no other does, see docs/tracks.md"
            )
        return lines + [f"{counted(n, 'file')}: {doubt}" for doubt, n in self.doubts.most_common()]


def prepare(
    sources: Sequence[str],
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    lpd: bool = False,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Read all sources into the folder `to`; each is kept or listed in rejects.jsonl.

    `lpd`: the sources are `.npz` of the Lakh Pianoroll Dataset. `jobs`: number of reading
    processes; 0 reads in this one, without limits of time and memory. Raises `UserError` if
    nothing can be kept.
    """
    job, settings, skipped = _of_files(sources, config, lpd, jobs, tick)
    with open_preparation(Path(to), settings) as folder:
        return _prepare(folder, job, config, skipped)


def prepare_part(
    sources: Sequence[str],
    to: str | Path,
    part: Part,
    config: PrepareConfig = PrepareConfig(),
    *,
    lpd: bool = False,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> PartSummary:
    """Read one part of the sources into the folder `to`, beside others that read other parts.

    When all are read, `prepare` makes a collection of them; see there.
    """
    job, settings, _ = _of_files(sources, config, lpd, jobs, tick)
    return preparation.prepare_part(Path(to), settings, job, part)


def _of_files(
    sources: Sequence[str], config: PrepareConfig, lpd: bool, jobs: int, tick: Tick
) -> tuple[Job, dict[str, Any], Counter[str]]:
    """Return the job of reading files, what determines it, and files of other kinds."""
    suffixes, limits = LPD if lpd else SONG_FILES, config.limits
    starts = expand_patterns(sources)
    found = scan(starts, suffixes, limits)
    if not found.count:
        raise UserError(f"no {'.npz' if lpd else 'MIDI'} file in {', '.join(map(str, sources))}")
    read = partial(read_source, config=config, lpd=lpd)
    items = iterate_sources(starts, suffixes, limits)
    job = _job(items, found.count, read, lambda source: source.name, config, jobs, tick)
    return job, {**_settings(config), "sources": found.sha256, "lpd": lpd}, found.skipped


def prepare_band(
    count: int,
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    style: str | None = None,
    jobs: int = 0,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Generate songs of the procedural band into the folder `to`.

    Key, tempo, chords and form of each are in answers.jsonl. `style`: the style of all songs;
    without it each has a random one. `ConfigError` for more than `LARGEST_BAND` songs.
    """
    if whole("songs of the band", count) > LARGEST_BAND:
        raise ConfigError(f"the band plays at most {LARGEST_BAND:,} songs, not {count:,}")
    if config.tracks != LAKH:
        raise ConfigError("the band plays drums, piano, guitar, bass and strings: --tracks lakh")
    if (config.grid.beats_per_bar, config.grid.beat_unit) != (4, 4):
        raise ConfigError("the band plays in 4/4: --meter 4/4")
    if style and style not in STYLES:
        raise ConfigError(f"the band has no style '{style}': {nearest(style, list(STYLES))}")
    play = partial(play_song, config=config, style=style)
    name = partial(band_name, seed=config.seed)
    job = _job(range(count), count, play, name, config, jobs, tick)
    of_band = {"band": count, "style": style} if style else {"band": count}
    with open_preparation(Path(to), {**_settings(config), **of_band}) as folder:
        return _prepare(folder, job, config, Counter())


def settings_of(data: Collection) -> PrepareConfig:
    """Return the settings with which a collection was prepared."""
    return PrepareConfig.model_validate(preparation.settings_of(data.store.folder))


def _settings(config: PrepareConfig) -> dict[str, Any]:
    return {"config": config.model_dump(mode="json")}


def _job(
    items: Iterable[Any],
    count: int,
    read: Callable[[Any], SongRecord | Failure],
    name: Callable[[Any], str],
    config: PrepareConfig,
    jobs: int,
    tick: Tick,
) -> Job:
    limits = config.limits
    return Job(items, count, read, name, columns_of, limits.seconds, limits.memory_mb, jobs, tick)


def band_name(number: int, seed: int) -> str:
    """Return the name of a song of the band."""
    return f"band-{seed}-{number:05d}"


def play_song(
    number: int, config: PrepareConfig, style: str | None = None
) -> SongRecord | Failure:
    """Generate a song of the band, and pack it with its answers."""
    roll, answers = song([config.seed, number], config.grid, style)
    try:
        return pack(Song.of(roll, band_name(number, config.seed)), config, asdict(answers))
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def _prepare(folder: Path, job: Job, config: PrepareConfig, skipped: Counter[str]) -> Summary:
    """Read all, split by cluster, index the phrases, write the reports and the picture."""
    found = prepare_shards(folder, job, "bars", "the same notes", "song")
    counts = lengths_of(found.rows(folder, "phrases"))
    found.split(cluster(found, folder), counts, config.test_share, config.seed)
    phrases = phrases_of(found, folder)
    write_index(folder, found.shards, _facts(found, config), phrases)
    pieces = pieces_by_split(phrases["is_test"])
    counts = (folder, job.count, len(found.sources), pieces, found.reasons, skipped, found.cures)
    doubts = Counter(doubt for source in found.sources for doubt in source.get("doubts", ()))
    summary = Summary(*counts, *_unclaimed(found), doubts, test_share=config.test_share)
    summary.write()
    _write_answers(folder, found)
    _draw(folder)
    return summary


def _unclaimed(found: Catalogue) -> tuple[Counter[str], float]:
    """Return the notes that no track claims, by instrument, and their share of all notes."""
    notes, counts = 0, Counter[str]()
    for source in found.sources:
        notes += source.get("file_notes", 0)
        for program, count in source.get("unclaimed", {}).items():
            counts[instrument_of(int(program))] += count
    return counts, counts.total() / max(1, notes)


def _facts(found: Catalogue, config: PrepareConfig) -> dict[str, Any]:
    keys = ("source", "name", "bars", "split", "cluster")
    return {
        "domain": "music",
        **config.model_dump(mode="json", include={"grid", "tracks", "bars", "hop", "seed"}),
        "songs": [{key: song[key] for key in keys} for song in found.sources],
    }


def _write_answers(folder: Path, found: Catalogue) -> None:
    """Write the answers of each song that has any."""
    answered = [{"song": s["name"], **s["answers"]} for s in found.sources if s["answers"]]
    if answered:
        lines = [json.dumps(answers) + "\n" for answers in answered]
        write_text(folder / "answers.jsonl", "".join(lines))


def _draw(folder: Path) -> None:
    from musegen.data.overview import draw_collection

    draw_collection(Collection.open(folder), folder / "collection.png")
