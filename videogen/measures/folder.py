"""A folder of clips of any origin, to be measured as the clips of a model are.

It is read as the data was prepared; a clip is measured where its caption is one of the data.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from core.data.collection import Split
from core.data.preparation import NothingKept
from core.errors import UserError
from core.files import temporary_folder
from core.wording import counted
from videogen.captioned_clips import CaptionedClips
from videogen.data.collection import Collection
from videogen.data.preparation import prepare, settings_of
from videogen.data.records import PrepareConfig
from videogen.files.clip import Clips, to_clips
from videogen.measures.metrics import diversity

LOG = logging.getLogger("pianoreel")

Group = tuple[str, CaptionedClips, Split]
"""Its name, the data and the split that it is of."""


@dataclass(frozen=True)
class FolderOfClips:
    """A folder of clips, and the device of the classifiers by which they are measured."""

    path: Path
    device: torch.device


@dataclass(frozen=True)
class Part:
    """Clips of a folder that are measured in one group, each with its caption.

    `diversity`: of clips whose caption another video has, too; NaN where there are none.
    """

    captions: list[str]
    clips: Clips
    diversity: float


@dataclass(frozen=True)
class Generated:
    """Clips of a folder: `parts` by the names of the groups in which they are measured."""

    name: str
    parts: Mapping[str, Part]


def read_folder(
    folder: Path, data: CaptionedClips, groups: Sequence[Group], count: int, seed: int
) -> Generated:
    """Read a folder of clips as the data was prepared: of its size, length, rate and framing.

    Captions are found as `prepare` finds them. At most `count` clips are measured in each group,
    those whose captions are of its split; lines say what is left out. `UserError` where no clip
    can be read, or none has a caption of the data.
    """
    with temporary_folder() as aside:
        try:
            found = prepare([str(folder)], aside, _reading(data), jobs=0)
        except UserError as error:
            why = error.summary if isinstance(error, NothingKept) else error
            raise UserError(f"{folder} is no run, and read as a folder of clips: {why}") from error
        if found.unmeasured:
            LOG.info("%s: %s", folder, found.unmeasured)
        clips = Collection.open(aside)
        _require_captions(folder, clips, data)
        parts = {name: _part(clips, of, split, count, seed) for name, of, split in groups}
    known = {name: part for name, part in parts.items() if part}
    for name, of, split in groups:
        real = len(of.halves(split, seed)[0]) if isinstance(of, Collection) else count
        if name in known and (few := len(known[name].captions)) < min(real, count):
            LOG.info(
                "%s, %s: Frechet distances of %s are larger than those of the %d real ones beside",
                *(folder, name, counted(few, "clip"), min(real, count)),
            )
    return Generated(str(folder), known)


def _reading(data: CaptionedClips) -> PrepareConfig:
    """Return the settings by which the clips of a folder are read, of which none is held out."""
    if isinstance(data, Collection):
        config = settings_of(data)
    else:
        rate = data.frames_per_second
        config = PrepareConfig(size=data.size, frames=data.frames, frames_per_second=rate)
    return config.replace(captions="auto", hold_out="auto", test_share=0.0)


def _require_captions(folder: Path, clips: Collection, data: CaptionedClips) -> None:
    """Say which captions are none of the data; `UserError` where all are."""
    unknown = [
        video.caption
        for video in clips.videos
        if all(data.spelled(video.caption, split) is None for split in data.splits)
    ]
    of = data if isinstance(data, Collection) else "moving shapes"
    if len(unknown) == len(clips.videos):
        raise UserError(
            f"{folder}: none of its captions is one of {of}; the first is {unknown[0][:80]!r}. "
            "Give its clips the captions that they were made of, as prepare reads them: in "
            "clips.csv, or in rex.txt beside rex.mp4"
        )
    if unknown:
        LOG.info(
            "%s: %s left out, of captions that are none of %s, such as %r",
            *(folder, counted(len(unknown), "file"), of, unknown[0][:80]),
        )


def _part(
    found: Collection, data: CaptionedClips, split: Split, count: int, seed: int
) -> Part | None:
    """Return clips whose captions are of a split of the data, in a random order."""
    order = np.random.default_rng([seed, 4]).permutation(found.indices("train"))
    spelled = (data.spelled(caption, split) for caption in found.captions_of(order))
    known = [(clip, one) for clip, one in zip(order, spelled, strict=True) if one is not None]
    if not known:
        return None
    chosen = np.array([clip for clip, _ in known[:count]])
    captions = [caption for _, caption in known[:count]]
    clips = to_clips(found.frames_of(chosen))
    one, other = _pairs(captions, found.store.whole["source"][chosen])
    return Part(captions, clips, diversity(clips[one], clips[other]) if one else nan)


def _pairs(
    captions: Sequence[str], videos: Int[np.ndarray, " clip"]
) -> tuple[list[int], list[int]]:
    """Return the numbers of clips of one caption and different videos, in pairs.

    >>> _pairs(["a", "b", "a", "a"], np.array([7, 5, 7, 9]))
    ([0, 3], [3, 0])
    """
    of: dict[str, list[int]] = {}
    for clip in np.sort(np.unique(videos, return_index=True)[1]):
        of.setdefault(captions[int(clip)], []).append(int(clip))
    several = [clips for clips in of.values() if len(clips) > 1]
    one = [clip for clips in several for clip in clips]
    return one, [clip for clips in several for clip in (*clips[1:], clips[0])]
