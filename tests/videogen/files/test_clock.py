"""The clock of frames: which of them is on display when."""

import numpy as np
import pytest

from videogen.files.clock import OutOfOrder, Waiting, join, require_order, resample


def shown(times: list[float], durations: list[float] | None = None, rate: float = 10) -> str:
    """The letters of the frames on display; the first is a."""
    lengths = durations or [0.0] * len(times)
    letters = "abcdefghijklmnop"
    return "".join(resample(zip(times, lengths, letters, strict=False), rate))


def test_a_frame_is_on_display_until_the_next():
    assert shown([0, 0.1, 0.3, 0.4]) == "abbcd"
    assert shown([5, 5.1, 5.3]) == "abbcc", "from the first one on; the last as the one before it"
    assert shown([3]) == "a" and shown([0, 0.01, 0.02]) == "c"


def test_the_last_is_shown_for_its_duration_if_durations_are_true():
    assert shown([0, 0.1, 0.2], [0.1, 0.1, 0.4]) == "abcccc"
    assert shown([0, 0.2, 0.4], [0.01, 0.01, 0.01]) == "aabbcc", "the usual gap"
    assert shown([0, 0.5, 0.6], [0.1, 0.1, 0.1]) == "aaaaabc", "half of them true"
    assert shown([0, 0.2, 0.4], [0.2, 0.2, 0.001]) == "aabbcc", "a tick of the clock"


def test_the_earliest_time_is_that_of_the_next_frame():
    waiting = Waiting(restart=1)
    for time in (0.0, 0.4, 0.1, 0.2):
        waiting.add(time)
    assert [waiting.earliest() for _ in range(2)] == [0.0, 0.1]
    waiting.add(0.8)
    assert [waiting.earliest() for _ in range(4)] == [0.2, 0.4, 0.8, None]


def test_a_new_recording_follows_the_one_before_it():
    waiting = Waiting(restart=1)
    for time in (9.0, 9.2, 9.1, 0.0, 0.1):
        waiting.add(time)
    assert [waiting.earliest() for _ in range(5)] == [9.0, 9.1, 9.2, 0.0, 0.1]
    frames = [(time, 0.0, time) for time in (9.0, 9.1, 9.2, 0.0, 0.1, 0.05)]
    joined = [time for time, _, _ in join(frames, restart=1)]
    assert joined == pytest.approx([9.0, 9.1, 9.2, 9.3, 9.4, 9.4])
    assert np.diff(joined).min() >= 0


def test_times_that_decrease_are_noticed():
    frames = [(time, 0.0, time) for time in (9.0, 9.2, 0.0, 0.1)]
    assert list(require_order(frames, restart=1)) == frames
    with pytest.raises(OutOfOrder):
        list(require_order([(0.0, 0, 0), (0.2, 0, 0), (0.1, 0, 0)], restart=1))
