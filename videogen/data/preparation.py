"""Prepare videos with captions: read, cut into clips, split and store.

    prepare(["clips/"], to="data/clips")                    folders, files, manifests
    prepare(["clips/"], to=None)                            a check: the same, without writing
    prepare_part(["clips/"], "data/clips", Part(3, 8))      the third of eight parts of them

`core.data.preparation` says how an interrupted preparation resumes.
"""

import contextlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data import preparation
from core.data.catalogue import Catalogue, concat_rows, lengths_of
from core.data.preparation import (
    Job,
    NothingKept,
    Part,
    PartSummary,
    Tick,
    open_preparation,
    pieces_by_split,
    prepare_shards,
)
from core.data.store import Reject, write_index
from core.errors import UserError
from core.files import temporary_folder
from videogen.data.collection import Collection
from videogen.data.division import Division, Videos, chosen, composition, divide
from videogen.data.records import (
    REMARKS,
    ClipRecord,
    PrepareConfig,
    check_clip,
    columns_of,
    frames_of_film,
    read_clip,
)
from videogen.data.sources.captioned import Listing
from videogen.data.sources.listing import listing
from videogen.data.sources.unread import advice
from videogen.words import WORDS, vocabulary, words_of

SPOOLED_BYTES = 1 << 20
"""Size of a record's frames from which they are spooled to disk until their shard is written."""

SHOWN, WIDTH = 20, 120
"""Lines of a list in the report, and the most characters of one that holds a caption."""

NAMED = 3
"""Videos that are named of those whose captions come from elsewhere than those of most."""


@dataclass(frozen=True)
class Summary(preparation.Summary):
    """Counts of the videos that were kept and rejected, and of their clips.

    captions: the names of the videos by where their captions come from.
    """

    SOURCE = "video"
    PIECE = "clip"
    RECOMMENDED_PIECES = 200
    HOW_TO_GET_MORE = "More videos or a smaller --hop give more"
    WHY_NO_TEST_DATA = "every video has words of its own and one clip (fewer --frames give more)"

    captions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    long_captions: int = 0
    stored: str = ""
    division: list[str] = field(default_factory=list)
    checked: list[Reject] | None = None

    @property
    def lines(self) -> list[str]:
        """Return the lines of the report; those of a check list the rejects."""
        division = _shown([_shortened(line) for line in self.division])
        remarks = [f"{count} kept: {REMARKS[remark]}" for remark, count in self.remarks.items()]
        cures = advice(self.skipped)
        lines = [*super().lines, *remarks, *cures, *division, *_origins(self.captions)]
        if self.long_captions:
            lines.append(
                f"{self.long_captions} of the captions: longer than the {WORDS} words read"
            )
        lines.append(self.stored)
        if self.checked is not None:
            lines += ["nothing was written (--check)", *_rejects(self.checked)]
        return lines


def _origins(captions: Mapping[str, Sequence[str]]) -> list[str]:
    """Return how many captions come from where, and which not from where those of most do.

    A caption that is only the name of its file is often one whose text was forgotten.
    """
    by_count = sorted(captions.items(), key=lambda row: -len(row[1]))
    counts = ", ".join(f"{len(names)} of {origin}" for origin, names in by_count)
    others = []
    for origin, names in by_count[1:]:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        others.append(_shortened(f"  of {origin}: {', '.join(names[:NAMED])}{more}"))
    return [f"captions: {counts}", *_shown(others)]


def _rejects(rejects: Sequence[Reject]) -> list[str]:
    """Return the rejects with their reasons."""
    return _shown([f"  {': '.join(reject)}" for reject in rejects])


def _shortened(line: str) -> str:
    """Return a line without the end of a long caption."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _shown(lines: Sequence[str]) -> list[str]:
    """Return the first lines, and the number of the others; names of files may be anything."""
    more = len(lines) - SHOWN
    readable = ["".join(c if c.isprintable() else "?" for c in line) for line in lines[:SHOWN]]
    return [*readable, *[f"  and {more} more"] * (more > 0)]


def prepare(
    sources: Sequence[str],
    to: str | Path | None,
    config: PrepareConfig = PrepareConfig(),
    *,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Prepare all videos to the folder `to`; each is kept or listed in rejects.jsonl.

    `to=None` checks without writing. `jobs`: child processes; 0 reads in this process, without
    limits on time and memory. Raises `UserError` if all videos are rejected.
    """
    found, settings = _listed(sources, config)
    with _folder(to, settings) as folder:
        job = _job(found, folder, config, to is None, jobs, tick)
        return _prepare(folder, job, config, found, to is None)


def settings_of(data: Collection) -> PrepareConfig:
    """Return the settings with which a collection was prepared."""
    return PrepareConfig.model_validate(preparation.settings_of(data.store.folder))


def prepare_part(
    sources: Sequence[str],
    to: str | Path,
    part: Part,
    config: PrepareConfig = PrepareConfig(),
    *,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> PartSummary:
    """Prepare one part of the videos to the folder `to`, beside others that read other parts.

    When all are read, `prepare` makes a collection of them; see there.
    """
    found, settings = _listed(sources, config)
    job = _job(found, Path(to), config, False, jobs, tick)
    return preparation.prepare_part(Path(to), settings, job, part)


def _listed(sources: Sequence[str], config: PrepareConfig) -> tuple[Listing, dict[str, Any]]:
    """Return the videos, and what determines their preparation."""
    found = listing(sources, config.captions, config.limits)
    _require_halves([clip.caption for clip in found.clips if not clip.fault], config)
    return found, {"config": config.model_dump(mode="json"), "sources": found.sha256}


@contextlib.contextmanager
def _folder(to: str | Path | None, settings: dict[str, Any]) -> Iterator[Path]:
    """Yield the folder to write to; for a check a temporary one."""
    if to is not None:
        with open_preparation(Path(to), settings) as folder:
            yield folder
        return
    try:
        with (
            temporary_folder() as aside,
            open_preparation(aside, settings) as folder,
        ):
            yield folder
    except NothingKept as error:
        raise UserError("\n".join([error.summary, *_rejects(error.rejects)])) from error


def _job(
    found: Listing, folder: Path, config: PrepareConfig, check: bool, jobs: int, tick: Tick
) -> Job:
    """Return the job of reading; a child gets one file at a time, as each may be large."""
    return Job(
        found.clips,
        len(found.clips),
        partial(check_clip if check else read_clip, config=config),
        lambda clip: clip.name,
        partial(columns_of, side=0 if check else config.size),
        config.limits.seconds,
        config.limits.memory_mb,
        jobs,
        tick,
        chunk_size=1,
        finish=partial(_spool, folder=folder),
    )


def _spool(record: ClipRecord, folder: Path) -> ClipRecord:
    """Move the frames of a large record to a temporary file, mapped into memory."""
    if record.frames.nbytes < SPOOLED_BYTES:
        return record
    with tempfile.TemporaryFile(dir=folder) as file:
        np.ascontiguousarray(record.frames).tofile(file)
        file.flush()
        mapped = np.memmap(file, np.uint8, "r", shape=record.frames.shape)
    return replace(record, frames=mapped.view(np.ndarray))


def _prepare(
    folder: Path, job: Job, config: PrepareConfig, listed: Listing, check: bool
) -> Summary:
    """Read all videos, split them, index the clips, and write the reports and the picture."""
    found = prepare_shards(folder, job, "frames", "the same pictures and caption", "clip")
    captions = found.rows(folder, "captions")
    videos = _videos(folder, found, captions, config)
    division = _divide(found, videos, config)
    clips = found.pieces(folder, "clips") | {"is_test": division.test} | videos.columns
    clips = {name: column[division.used] for name, column in clips.items()}
    texts = {
        "captions": concat_rows(captions, np.uint8),
        "captions_of_source": lengths_of(captions),
    }
    write_index(folder, found.shards, _facts(found, captions, config), clips | texts)
    frames = sum(source["frames"] for source in found.sources)
    summary = Summary(
        folder,
        job.count,
        len(found.sources),
        pieces_by_split(clips["is_test"]),
        found.reasons,
        listed.passed_over,
        found.cures,
        _by_origin(found.sources),
        Counter(remark for source in found.sources for remark in source["remarks"]),
        sum(len(words_of(caption.tobytes().decode())) > WORDS for caption in captions),
        _stored(frames, config),
        division.lines,
        found.rejects if check else None,
        holds_out_whole=any(source["split"] == "test" for source in found.sources),
        test_share=config.test_share,
    )
    if not check:
        summary.write()
        _draw(folder)
    return summary


def _videos(
    folder: Path, found: Catalogue, captions: Sequence[np.ndarray], config: PrepareConfig
) -> Videos:
    films = [source.get("film", source["pictures"]) for source in found.sources]  # old shards
    return Videos(
        [source["name"] for source in found.sources],
        [caption.tobytes().decode() for caption in captions],
        [source["content"] for source in found.sources],
        np.unique([source["pictures"] for source in found.sources], return_inverse=True)[1],
        np.unique(films, return_inverse=True)[1],
        [
            frames_of_film(clips, source.get("begin", 0), config)
            for clips, source in zip(found.rows(folder, "clips"), found.sources, strict=True)
        ],
    )


def _divide(found: Catalogue, videos: Videos, config: PrepareConfig) -> Division:
    """Divide the clips; a video is held out where none of its clips is trained on."""
    division = divide(videos, config)
    trained = np.split(division.used & ~division.test, np.cumsum(videos.counts)[:-1])
    for source, clips in zip(found.sources, trained, strict=True):
        source["split"] = "train" if clips.any() else "test"
    return division


def _require_halves(captions: Sequence[str], config: PrepareConfig) -> None:
    """Refuse before files are read what captions do not allow."""
    if config.hold_out == "composition":
        composition(captions, 1.0, config.seed)
    elif not isinstance(config.hold_out, str):
        chosen(config.hold_out, captions)


def _by_origin(sources: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the names of videos by where their captions come from."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        names[source["origin"]].append(source["name"])
    return dict(names)


def _stored(frames: int, config: PrepareConfig) -> str:
    megabytes = frames * config.bytes_of_frame / 1e6
    return f"{frames} frames of {config.size}x{config.size}: {megabytes:.1f} MB"


def _facts(
    found: Catalogue, captions: Sequence[np.ndarray], config: PrepareConfig
) -> dict[str, Any]:
    settings = {
        "size",
        "frames",
        "frames_per_second",
        "fit",
        "background",
        "short",
        "hop",
        "hold_out",
        "seed",
    }
    training_captions = [
        caption.tobytes().decode()
        for caption, source in zip(captions, found.sources, strict=True)
        if source["split"] == "train"
    ]
    return {
        "domain": "video",
        **config.model_dump(mode="json", include=settings),
        "words": vocabulary(training_captions),
        "sources": [
            {key: source[key] for key in ("source", "name", "split")} for source in found.sources
        ],
    }


def _draw(folder: Path) -> None:
    from videogen.data.overview import draw_collection

    draw_collection(Collection.open(folder), folder / "collection.png")
