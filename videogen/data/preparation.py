"""Videos with captions -> clips on disk.

    prepare(["clips/"], to="data/clips")        folders, files, manifests
    prepare(["clips/"], to=None)                the same, with nothing written

See `core.data.preparation` for what holds of it.
"""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data import preparation
from core.data.catalogue import Catalogue, concat_rows, lengths_of
from core.data.preparation import Job, NothingKept, Tick, begin_in, pieces_by_split, read_all
from core.data.store import Reject, write_index
from core.errors import UserError
from videogen.data.collection import Collection
from videogen.data.records import ClipRecord, PrepareConfig, check_clip, columns_of, read_clip
from videogen.files.sources import Listing, listing
from videogen.networks.text import vocabulary

SPOOLED_BYTES = 1 << 20
"""Records of more frames wait on disk, not in memory, until their shard is written."""

SHOWN_REJECTS = 20


@dataclass(frozen=True)
class Summary(preparation.Summary):
    """What became of the videos and their clips."""

    PIECES = "clips"
    FEW = 200
    MORE = "More videos or a smaller --hop give more"
    ONE = "all is one video; or --set test_share=0 was wished"

    captions: Counter[str] = field(default_factory=Counter)
    stored: str = ""
    checked: list[Reject] | None = None

    @property
    def lines(self) -> list[str]:
        """See core; of a check also the rejects themselves."""
        origins = ", ".join(f"{count} of {name}" for name, count in self.captions.most_common())
        lines = [*super().lines, f"captions: {origins}", self.stored]
        if self.checked is not None:
            lines += ["nothing was written: it was a check", *_shown(self.checked)]
        return lines


def _shown(rejects: Sequence[Reject]) -> list[str]:
    """The first rejects with their reasons, and how many more there are."""
    lines = [f"  {': '.join(reject)}" for reject in rejects[:SHOWN_REJECTS]]
    more = len(rejects) - len(lines)
    return lines + [f"  and {more} more"] * bool(more)


def prepare(
    sources: Sequence[str],
    to: str | Path | None,
    config: PrepareConfig = PrepareConfig(),
    *,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Read all videos into the folder `to`: each is kept, or is a line of rejects.jsonl.

    Without `to` all is done but writing. `jobs`: reading processes; 0 reads in this one, without
    limits of time and memory. Raises `UserError` where nothing can be kept.
    """
    found = listing(sources, config.captions, config.limits)
    wanted = {"config": config.model_dump(mode="json"), "sources": found.sha256}
    with _folder(to, wanted) as folder:
        job = _job(found, folder, config, to is None, jobs, tick)
        return _prepare(folder, job, config, found, to is None)


@contextlib.contextmanager
def _folder(to: str | Path | None, wanted: dict[str, Any]) -> Iterator[Path]:
    """The folder to write to; for a check one that is gone afterwards."""
    if to is not None:
        with begin_in(Path(to), wanted) as folder:
            yield folder
        return
    try:
        with tempfile.TemporaryDirectory() as aside, begin_in(Path(aside), wanted) as folder:
            yield folder
    except NothingKept as error:
        raise UserError("\n".join([error.kept, *_shown(error.rejects)])) from error


def _job(
    found: Listing, folder: Path, config: PrepareConfig, check: bool, jobs: int, tick: Tick
) -> Job:
    """Clips are handed out one by one, for each can be large."""
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
        kept=partial(_spooled, folder=folder),
    )


def _spooled(record: ClipRecord, folder: Path) -> ClipRecord:
    """A large record with its frames in a file that has no name any more."""
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
    """Read all, split by video, index the clips, write the reports and the picture."""
    found = read_all(folder, job, "frames", "the same pictures and caption", "clip")
    pictures = [source["pictures"] for source in found.sources]
    found.split(np.unique(pictures, return_inverse=True)[1], config.test_share, config.seed)
    clips = found.pieces(folder, "clips")
    captions = found.rows(folder, "captions")
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
        Counter(source["origin"] for source in found.sources),
        _stored(frames, config),
        found.rejects if check else None,
    )
    if not check:
        summary.write()
        _draw(folder)
    return summary


def _stored(frames: int, config: PrepareConfig) -> str:
    megabytes = frames * config.bytes_of_frame / 1e6
    return f"{frames} frames of {config.size}x{config.size}: {megabytes:.1f} MB"


def _facts(
    found: Catalogue, captions: Sequence[np.ndarray], config: PrepareConfig
) -> dict[str, Any]:
    told = {"size", "frames", "frames_per_second", "fit", "short", "hop", "seed"}
    trained = [
        caption.tobytes().decode()
        for caption, source in zip(captions, found.sources, strict=True)
        if source["split"] == "train"
    ]
    return {
        "domain": "video",
        **config.model_dump(mode="json", include=told),
        "words": vocabulary(trained),
        "sources": [
            {key: source[key] for key in ("source", "name", "split")} for source in found.sources
        ],
    }


def _draw(folder: Path) -> None:
    from videogen.data.overview import draw_collection

    draw_collection(Collection.open(folder), folder / "collection.png")
