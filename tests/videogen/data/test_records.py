"""Clips are windows of a video; videos that are too short are padded, looped or rejected."""

from pathlib import Path

import numpy as np
import pytest
from films import greys

from core.data.sources import RejectedFile
from videogen.data.records import ClipRecord, PrepareConfig, cut, frames_of_film, read_clip
from videogen.data.sources.captioned import Captioned
from videogen.files.clip import write_mp4
from videogen.files.tree import File


def film(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, 3)


def windows(count: int, **config: object) -> list[list[int]]:
    """The frames of each clip of a film of `count`, by their numbers in the film."""
    chosen = PrepareConfig.model_validate({"frames": 4, **config})
    frames, clips = cut(film(count), chosen)
    return [frames[begin : begin + 4, 0, 0, 0].tolist() for begin in clips]


def test_a_long_film_is_many_clips():
    assert windows(4) == [[0, 1, 2, 3]]
    assert windows(11) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert windows(7, hop=2) == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert cut(film(14), PrepareConfig(frames=4, hop=5))[1].dtype == np.int32
    assert windows(14, hop=5) == [[0, 1, 2, 3], [5, 6, 7, 8], [10, 11, 12, 13]]


def test_only_frames_of_clips_are_kept():
    config = PrepareConfig(frames=4, hop=10)
    assert len(cut(film(30), config)[0]) == 12
    assert len(cut(film(7), PrepareConfig(frames=4))[0]) == 4


def test_a_short_film_is_padded_looped_or_dropped():
    assert windows(3) == [[0, 1, 2, 2]]
    assert windows(3, short="loop") == [[0, 1, 2, 0]]
    assert windows(1, short="loop") == [[0, 0, 0, 0]]
    with pytest.raises(RejectedFile, match="3 frames, a clip has 4"):
        windows(3, short="drop")


def test_excerpts_of_a_film_are_held_out_together(tmp_path: Path):
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    files = (File(tmp_path / "x.mp4"),)
    found = [
        read_clip(
            Captioned("x.mp4", "", "a dog", "manifest", files=files, excerpt=times),
            PrepareConfig(size=16, frames=4),
        )
        for times in ((0, 0.5), (1, 1.5))
    ]
    first, second = (record for record in found if isinstance(record, ClipRecord))
    assert first.film == second.film and first.content != second.content
    assert (first.begin, second.begin) == (0, 8)
    assert [len(record.frames) for record in (first, second)] == [4, 4]
    assert first.remarks == ("excerpt",)


def test_clips_are_where_their_frames_are_in_the_film():
    close, apart = PrepareConfig(frames=4, hop=2), PrepareConfig(frames=4, hop=10)
    for config, begins in ((close, [3, 5, 7]), (apart, [3, 13, 23])):
        clips = cut(film(30), config)[1][:3]
        assert frames_of_film(clips, 3, config).tolist() == begins
