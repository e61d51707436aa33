"""Songs -> phrases on disk.

    prepare(["songs/"], to="data/songs")        MIDI files, folders, archives
    prepare_band(200, to="data/band")           the procedural band, with its known answers

Files are read in child processes and written shard by shard, so that neither a bad file nor a
large collection does harm, and a preparation that was killed goes on where it stopped.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from core.config import ConfigError, UserError
from core.files import LOCK, locked, write_text
from core.sources import RejectedFile, listing, roots, walk
from core.store import finished, shard_folder, write_index, write_rejects, write_shard
from core.workers import Lost, work
from musegen.catalogue import Catalogue
from musegen.collection import Collection
from musegen.midi import song_of
from musegen.phrases import Packed, PrepareConfig, columns_of, pack, read_source
from musegen.pianoroll import LPD
from musegen.smf import MIDI
from musegen.tracks import LAKH

SOURCES_PER_SHARD = 256

FEW_PHRASES = 500
"""With fewer a model learns them by heart."""

BEGUN = "prepare.json"
REPORTS = {"rejects.jsonl", "summary.txt"}


@dataclass(frozen=True)
class Summary:
    """What became of the sources. `phrases` by split; `passed_over`: files of other kinds."""

    folder: Path
    sources: int
    songs: int
    phrases: dict[str, int]
    rejects: Counter[str]
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> list[str]:
        """The table that is printed, and kept as summary.txt."""
        rejected = sum(self.rejects.values())
        lines = [f"{self.sources} files: {self.songs} kept, {rejected} rejected"]
        lines += [f"  {count:6} {reason}" for reason, count in self.rejects.most_common()]
        if self.passed_over:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.passed_over.most_common(8))
            lines.append(f"{self.passed_over.total()} files of other kinds passed over: {kinds}")
        train, test = self.phrases["train"], self.phrases["test"]
        lines.append(f"{train} phrases to train on, {test} held out")
        if train < FEW_PHRASES:
            lines.append(
                f"few phrases: below {FEW_PHRASES} a model learns them by heart. More songs, "
                "a smaller --hop or fewer --min-tracks give more"
            )
        if not test:
            lines.append("nothing is held out: all is one song, or its near-duplicates")
        return lines


Tick = Callable[[int, int], None]
"""Called with (sources done, sources in all)."""


@dataclass(frozen=True)
class _Job:
    """Items to be made into packed songs, and by which they are known."""

    items: Iterable[Any]
    count: int
    made: Callable[[Any], Packed | Lost]
    name: Callable[[Any], str]
    config: PrepareConfig
    jobs: int
    tick: Tick


def prepare(
    sources: Sequence[str],
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    lpd: bool = False,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Read all sources into the folder `to`: each is kept, or is a line of rejects.jsonl.

    `lpd`: the sources are `.npz` of the Lakh Pianoroll Dataset. `jobs`: reading processes; 0 reads
    in this one, without limits of time and memory. Raises `UserError` where nothing can be kept.
    """
    suffixes, limits = LPD if lpd else MIDI, config.limits
    starts = roots(sources)
    found = listing(starts, suffixes, limits)
    if not found.count:
        raise UserError(f"no {'.npz' if lpd else 'MIDI'} file in {', '.join(sources)}")
    read = partial(read_source, config=config, lpd=lpd)
    items = walk(starts, suffixes, limits)
    job = _Job(items, found.count, read, lambda source: source.name, config, jobs, tick)
    with _begun(Path(to), config, {"sources": found.sha256, "lpd": lpd}) as folder:
        return _prepare(folder, job, found.passed_over)


def prepare_band(
    count: int,
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    *,
    jobs: int = 0,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Songs of the procedural band, and what is known of each in answers.jsonl."""
    if config.tracks != LAKH:
        raise ConfigError("the band plays drums, piano, guitar, bass and strings: --tracks lakh")
    play, name = partial(play_song, config=config), partial(band_name, seed=config.seed)
    job = _Job(range(count), count, play, name, config, jobs, tick)
    with _begun(Path(to), config, {"band": count}) as folder:
        return _prepare(folder, job, Counter())


def band_name(number: int, seed: int) -> str:
    """What a song of the band is called."""
    return f"band-{seed}-{number:05d}"


def play_song(number: int, config: PrepareConfig) -> Packed | Lost:
    """A song of the band, packed with its answers."""
    from musegen.band import song

    roll, answers = song([config.seed, number], config.grid)
    try:
        return pack(song_of(roll, band_name(number, config.seed)), config, asdict(answers))
    except RejectedFile as error:
        return Lost(error.reason, error.detail)


@contextlib.contextmanager
def _begun(folder: Path, config: PrepareConfig, sources: dict[str, Any]) -> Iterator[Path]:
    """The folder, held for this process, empty or with finished shards of the same preparation."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _refuse_other(folder, {"config": config.model_dump(mode="json"), **sources})
            yield folder
    except PermissionError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} is no folder") from error


def _refuse_other(folder: Path, wanted: dict[str, Any]) -> None:
    mark = folder / BEGUN
    if not mark.exists():
        if {path.name for path in folder.iterdir()} - REPORTS - {LOCK}:
            raise UserError(f"{folder} holds other files: choose an empty or a new folder")
        write_text(mark, json.dumps(wanted, indent=1))
        return
    begun = json.loads(mark.read_text(encoding="utf-8"))
    changed = sorted(key for key in begun | wanted if begun.get(key) != wanted.get(key))
    if changed == ["sources"]:
        raise UserError(
            f"{folder} was prepared from other files, or some have changed since: choose another "
            "folder, or delete this one"
        )
    if changed:
        raise UserError(
            f"{folder} was prepared with other settings: repeat them, or choose another folder"
        )


def _prepare(folder: Path, job: _Job, passed_over: Counter[str]) -> Summary:
    """Write the shards that are missing, then what belongs to all of them."""
    shards = -(-job.count // SOURCES_PER_SHARD)
    missing = [number for number in range(shards) if not finished(folder, number)]
    limits = job.config.limits
    items = _of_shards(job.items, set(missing))
    done = _ticked(work(job.made, items, job.jobs, limits.seconds, limits.memory_mb), job, missing)
    for number in missing:
        _write(folder, number, islice(done, SOURCES_PER_SHARD), job.name)
    return _finish(folder, job, shards, passed_over)


def _of_shards(items: Iterable[Any], chosen: set[int]) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number // SOURCES_PER_SHARD in chosen:
            yield item


def _ticked(results: Iterable[Any], job: _Job, missing: Sequence[int]) -> Iterator[Any]:
    """Pass results on, and tell how many sources are done with them and the finished shards."""
    first = SOURCES_PER_SHARD * np.array(missing, dtype=int)
    left = np.minimum(SOURCES_PER_SHARD, job.count - first).sum()
    for number, result in enumerate(results, job.count - int(left) + 1):
        job.tick(number, job.count)
        yield result


def _write(
    folder: Path,
    number: int,
    done: Iterable[tuple[Any, Packed | Lost]],
    name: Callable[[Any], str],
) -> None:
    """One shard: the songs' columns in a row, and a note of each source."""
    kept: list[Packed] = []
    notes: list[dict[str, Any]] = []
    for item, song in done:
        if isinstance(song, Lost):
            notes.append({"source": name(item), "reason": song.reason, "detail": song.detail})
        else:
            kept.append(song)
            notes.append({"source": name(item), **song.facts})
    write_shard(folder, number, columns_of(kept), notes)


def _finish(folder: Path, job: _Job, shards: int, passed_over: Counter[str]) -> Summary:
    """Find duplicates, split by cluster, index the phrases, write the reports and the picture."""
    found = Catalogue.of(folder, shards)
    write_rejects(folder, found.rejects)
    reasons = Counter(reason for _, reason, _ in found.rejects)
    if not found.songs:
        _give_up(folder, shards, job.count, reasons)
    found.split(folder, job.config.test_share, job.config.seed)
    phrases = found.phrases(folder)
    write_index(folder, shards, _facts(found, job.config), phrases)
    test = int(phrases["is_test"].sum())
    counts = {"train": len(phrases["is_test"]) - test, "test": test}
    summary = Summary(folder, job.count, len(found.songs), counts, reasons, passed_over)
    write_text(folder / "summary.txt", "\n".join(summary.lines) + "\n")
    _write_answers(folder, found)
    _draw(folder)
    return summary


def _give_up(folder: Path, shards: int, sources: int, reasons: Counter[str]) -> NoReturn:
    """Nothing is kept: leave only the reasons, so that the folder can be used again."""
    for number in range(shards):
        shutil.rmtree(shard_folder(folder, number))
    (folder / BEGUN).unlink()
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    raise UserError(
        f"no song could be kept of {sources} files ({counted}): {folder}/rejects.jsonl says why"
    )


def _facts(found: Catalogue, config: PrepareConfig) -> dict[str, Any]:
    told = ("source", "name", "bars", "split", "cluster")
    return {
        "domain": "music",
        **config.model_dump(mode="json", include={"grid", "tracks", "bars", "hop", "seed"}),
        "songs": [{key: song[key] for key in told} for song in found.songs],
    }


def _write_answers(folder: Path, found: Catalogue) -> None:
    """What is known of each song, where anything is."""
    known = [{"song": s["name"], **s["answers"]} for s in found.songs if s["answers"]]
    if known:
        lines = [json.dumps(answers) + "\n" for answers in known]
        write_text(folder / "answers.jsonl", "".join(lines))


def _draw(folder: Path) -> None:
    from musegen.portrait import draw_collection

    draw_collection(Collection.open(folder), folder / "collection.png")
