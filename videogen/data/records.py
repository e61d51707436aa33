"""A captioned clip as it goes to disk: what a reading process does with a file.

Nothing here needs torch, which would fill half of what such a process may hold.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from core.data.catalogue import concat_rows, lengths_of
from core.data.sources import RejectedFile
from core.data.workers import Failure
from videogen.files.limits import VideoLimits
from videogen.files.reading import Film, View, read_frames
from videogen.files.sources import Captioned, How, Origin

Kept = UInt8[np.ndarray, "kept height width 3"]


class PrepareConfig(View):
    """What a clip is, where captions come from, and how videos are split."""

    frames: int = Field(default=16, gt=0, le=4096, description="frames of a clip")
    hop: int | None = Field(
        default=None, gt=0, description="frames from one clip to the next; as many as it has"
    )
    short: Literal["pad", "loop", "drop"] = Field(
        default="pad", description="too few frames: the last stays, all again, or left out"
    )
    captions: How = "auto"
    test_share: float = Field(default=0.1, ge=0, lt=1, description="share of videos held out")
    seed: int = Field(default=0, ge=0, description="which videos are held out")
    limits: VideoLimits = VideoLimits()

    @property
    def step(self) -> int:
        return self.hop or self.frames

    @property
    def bytes_of_frame(self) -> int:
        return self.size**2 * 3


@dataclass(frozen=True)
class ClipRecord:
    """A video's frames with its caption: one record.

    `clips` are first frames; `content` is a digest of both, `pictures` of the frames alone.
    """

    name: str
    caption: str
    origin: Origin
    frames: Kept
    clips: Int[np.ndarray, " clip"]
    content: str
    pictures: str

    @property
    def facts(self) -> dict[str, Any]:
        """What is noted of it beside its columns."""
        noted = ("name", "origin", "content", "pictures")
        return {**{key: getattr(self, key) for key in noted}, "frames": len(self.frames)}


def read_clip(clip: Captioned, config: PrepareConfig) -> ClipRecord | Failure:
    """A file as a record, or why not."""
    try:
        if clip.fault or not clip.origin:
            raise RejectedFile(*(clip.fault or ("no-caption", "")))
        film = read_frames(Path(clip.name), config, config.limits)
        return _record(clip.name, clip.caption, clip.origin, film, config)
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def check_clip(clip: Captioned, config: PrepareConfig) -> ClipRecord | Failure:
    """The same, of which only the facts are kept: the frames are cut to their number."""
    packed = read_clip(clip, config)
    if isinstance(packed, Failure):
        return packed
    return replace(packed, frames=packed.frames[:, :0, :0])


def _record(
    name: str, caption: str, origin: Origin, film: Film, config: PrepareConfig
) -> ClipRecord:
    frames, clips = cut(film, config)
    pictures = hashlib.sha256(frames.tobytes()).hexdigest()
    content = hashlib.sha256(f"{pictures} {caption}".encode()).hexdigest()
    return ClipRecord(Path(name).stem, caption, origin, frames, clips, content, pictures)


def cut(film: Film, config: PrepareConfig) -> tuple[Kept, Int[np.ndarray, " clip"]]:
    """The frames that are kept, and where the clips begin in them."""
    count, wanted, step = len(film), config.frames, config.step
    if count < wanted:
        if config.short == "drop":
            raise RejectedFile("too-short", f"{count} frames, {wanted} are wanted")
        nth = np.arange(wanted)
        chosen = nth % count if config.short == "loop" else np.minimum(nth, count - 1)
        return film[chosen], np.zeros(1, np.int32)
    begins = np.arange(0, count - wanted + 1, step, dtype=np.int32)
    if step <= wanted:
        return film[: begins[-1] + wanted], begins
    kept = (begins[:, None] + np.arange(wanted)).ravel()
    return film[kept], np.arange(len(begins), dtype=np.int32) * wanted


def columns_of(
    records: Sequence[ClipRecord], side: int
) -> dict[str, np.ndarray | Sequence[np.ndarray]]:
    """The columns of records in a row; of what varies in length also how much is each one's."""
    texts = [np.frombuffer(record.caption.encode(), np.uint8) for record in records]
    films = [record.frames for record in records]
    clips = [record.clips for record in records]
    return {
        "frames": [np.zeros((0, side, side, 3), np.uint8), *films],
        "frames_of_source": lengths_of(films),
        "captions": concat_rows(texts, np.uint8),
        "captions_of_source": lengths_of(texts),
        "clips": concat_rows(clips, np.int32),
        "clips_of_source": lengths_of(clips),
    }
