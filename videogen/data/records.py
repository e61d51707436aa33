"""Records: the frames and the caption of a video as they are stored, read in a child process.

This module does without torch, which would take half of such a process's memory limit.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from core.app.label import GENERATED
from core.data.catalogue import concat_rows, lengths_of
from core.data.sources import RejectedFile
from core.data.workers import Failure
from core.wording import counted
from videogen.data.sources.captioned import Captioned, CaptionSource, Origin
from videogen.files.clock import first_frame
from videogen.files.frame import View
from videogen.files.limits import VideoLimits
from videogen.files.reading import Film, SquareFrames, read_film

REMARKS = {
    "single": "a single picture, which is repeated (--short drop leaves them out)",
    "damaged": "damaged: the part before the damage is kept",
    "pictures": "a folder of numbered pictures",
    "excerpt": "an excerpt, by the times in its row",
    "open": "an excerpt that ends with its film, as its row names no end",
    "generated": GENERATED,
    "renamed": "found by its name, where its row has another suffix, or a path elsewhere",
}
"""Reasons to mention a file that is kept."""

StoredFrames = UInt8[np.ndarray, "stored height width 3"]

Short = Literal["pad", "loop", "drop"]
"""A way with a video that has too few frames for a clip."""

Way = Literal["auto", "videos", "windows", "composition"]
HOLD_OUT: tuple[str, ...] = get_args(Way)
HoldOut = Way | tuple[str, ...]
"""A way to hold out clips (see `videogen.data.division`), or the captions that are held out."""


class PrepareConfig(View):
    """The size of clips, the source of their captions, and the split into training and test."""

    size: int = Field(
        default=64, ge=16, le=256, description="height and width that models are trained on"
    )
    frames: int = Field(default=16, ge=2, le=256, description="frames of a clip")
    hop: int | None = Field(
        default=None,
        gt=0,
        description="frames from one clip's start to the next; default: a clip's",
    )
    short: Short = Field(
        default="pad", description="videos with too few frames: repeat the last, loop, or reject"
    )
    captions: CaptionSource = "auto"
    most_clips: int | None = Field(
        default=None, gt=0, description="most clips of one video (default: by the others')"
    )
    hold_out: HoldOut = Field(default="auto", description="what is held out of training")
    test_share: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="share of clips that is held out (default 0.1), or of captions (0.25)",
    )
    seed: int = Field(default=0, ge=0, description="seed of the choice of held-out clips")
    limits: VideoLimits = VideoLimits()

    @property
    def step(self) -> int:
        return self.hop or self.frames

    @property
    def bytes_of_frame(self) -> int:
        return self.size**2 * 3


@dataclass(frozen=True)
class ClipRecord:
    """The stored frames of a video with its caption.

    `clips`: the first frame of each clip. `content`: a digest of frames and caption, `pictures`
    of the frames alone, `film` of the name of the film of which it is a part, where it begins at
    frame `begin`. `remarks`: what is particular about the file, of `REMARKS`.
    """

    name: str
    caption: str
    origin: Origin
    frames: StoredFrames
    clips: Int[np.ndarray, " clip"]
    content: str
    pictures: str
    film: str = ""
    begin: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the shard's index holds of the record, beside its columns."""
        names = ("name", "origin", "content", "pictures", "film", "begin", "remarks")
        return {**{key: getattr(self, key) for key in names}, "frames": len(self.frames)}


def read_clip(clip: Captioned, config: PrepareConfig) -> ClipRecord | Failure:
    """Read a file as a record; return a `Failure` with the reason if it is rejected."""
    try:
        if clip.fault or not clip.origin:
            raise RejectedFile(*(clip.fault or ("no-caption", "")))
        film = read_film(clip.files, config, config.limits, excerpt=clip.excerpt)
        record = _record(clip.name, clip.caption, clip.origin, film.frames, config)
        name, seconds = replace(clip, excerpt=film.excerpt).film
        return replace(
            record,
            film=hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest(),
            begin=first_frame(seconds, config.frames_per_second),
            remarks=tuple(_remarks(film, clip)),
        )
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def _remarks(film: Film, clip: Captioned) -> Iterator[str]:
    if film.decoded == 1:
        yield "single"
    if film.damage:
        yield "damaged"
    if len(clip.files) > 1:
        yield "pictures"
    if clip.excerpt:
        yield "open" if clip.excerpt[1] == math.inf else "excerpt"
    if film.origin:
        yield "generated"
    if clip.other_name:
        yield "renamed"


def check_clip(clip: Captioned, config: PrepareConfig) -> ClipRecord | Failure:
    """Read a file as `read_clip` does, and drop the pixels: frames of 0 x 0 keep their number."""
    record = read_clip(clip, config)
    if isinstance(record, Failure):
        return record
    return replace(record, frames=record.frames[:, :0, :0])


def _record(
    name: str, caption: str, origin: Origin, frames: SquareFrames, config: PrepareConfig
) -> ClipRecord:
    stored, clips = cut(frames, config)
    pictures = hashlib.sha256(stored.tobytes()).hexdigest()
    content = hashlib.sha256(f"{pictures} {caption}".encode()).hexdigest()
    return ClipRecord(Path(name).stem, caption, origin, stored, clips, content, pictures)


def cut(
    frames: SquareFrames, config: PrepareConfig
) -> tuple[StoredFrames, Int[np.ndarray, " clip"]]:
    """Return the frames that belong to any clip, and the index of each clip's first frame."""
    count, length, hop = len(frames), config.frames, config.step
    if count < length:
        if config.short == "drop":
            raise RejectedFile("too-short", f"{counted(count, 'frame')}, a clip has {length}")
        times = np.arange(length)
        times = times % count if config.short == "loop" else np.minimum(times, count - 1)
        return frames[times], np.zeros(1, np.int32)
    starts = np.arange(0, count - length + 1, hop, dtype=np.int32)
    if hop <= length:
        return frames[: starts[-1] + length], starts
    times = (starts[:, None] + np.arange(length)).ravel()  # [(clip time)]
    return frames[times], np.arange(len(starts), dtype=np.int32) * length


def frames_of_film(
    clips: Int[np.ndarray, " clip"], begin: int, config: PrepareConfig
) -> Int[np.ndarray, " clip"]:
    """Return the frame of the film with which each clip begins; `begin`: see `ClipRecord`.

    Frames of the film that belong to no clip are not stored, so that clips are closer there.
    """
    length = config.frames
    return begin + clips.astype(np.int64) * max(config.step, length) // length


def columns_of(
    records: Sequence[ClipRecord], side: int
) -> dict[str, np.ndarray | Sequence[np.ndarray]]:
    """Concatenate records to the columns of a shard, with the lengths of ragged ones.

    `side`: height and width of the frames.
    """
    texts = [np.frombuffer(record.caption.encode(), np.uint8) for record in records]
    frames = [record.frames for record in records]
    clips = [record.clips for record in records]
    return {
        "frames": [np.zeros((0, side, side, 3), np.uint8), *frames],
        "frames_of_source": lengths_of(frames),
        "captions": concat_rows(texts, np.uint8),
        "captions_of_source": lengths_of(texts),
        "clips": concat_rows(clips, np.int32),
        "clips_of_source": lengths_of(clips),
    }
