"""Loops of held notes: where they begin, and that their seam is no jump."""

import numpy as np
import pytest

from musegen.playing.loop import (
    AFTER,
    SEAM_SECONDS,
    SHORTEST_SECONDS,
    Loop,
    _loop,
    _seamless,
    hold,
    repeated,
)

RATE = 2000
SEAM = round(SEAM_SECONDS * RATE)


def test_a_loop_begins_where_the_wave_matches_best_however_loud_it_is():
    """A quiet copy of the end lies before what is loud and resembles it but half."""
    generator = np.random.default_rng(0)
    end, other = generator.normal(size=(2, SEAM))
    level = np.zeros(4 * SEAM + round(SHORTEST_SECONDS * RATE) + SEAM, np.float32)
    level[SEAM : 2 * SEAM] = 0.1 * end
    level[2 * SEAM : 3 * SEAM] = 2 * end + 4 * other
    level[-SEAM:] = end
    assert _loop(level, 0, len(level), RATE) == Loop(2 * SEAM, len(level))


def test_what_is_shorter_than_two_seams_and_a_loop_has_none():
    level = np.ones(2 * SEAM + round(SHORTEST_SECONDS * RATE), np.float32)
    assert _loop(level, 0, len(level), RATE) is not None
    assert _loop(level[1:], 0, len(level) - 1, RATE) is None


@pytest.mark.parametrize("rest", [0, 100], ids=["held to its end", "silent after it"])
def test_after_a_loop_players_find_its_beginning(rest: int):
    """The end of the sound, or what came after it, would make a click."""
    tone = np.sin(2 * np.pi * 110.3 * np.arange(RATE) / RATE)
    held = hold(np.concatenate([tone, np.zeros(rest)]).astype(np.float32), RATE)
    assert held
    level, loop = held.level, held.loop
    assert len(level) == loop.end + AFTER
    assert (level[loop.end :] == level[loop.begin : loop.begin + AFTER]).all()


def test_the_end_of_a_loop_leads_to_its_beginning():
    level = np.linspace(0, 1, 10 * SEAM).astype(np.float32)
    loop = Loop(4 * SEAM, 9 * SEAM)
    joined = _seamless(level, loop, RATE)
    assert joined[loop.end - 1] == level[loop.begin - 1]
    half = loop.end - SEAM // 2 - 1
    share = (SEAM - SEAM // 2) / SEAM
    before = level[loop.begin - SEAM // 2 - 1]
    assert joined[half] == pytest.approx((1 - share) * level[half] + share * before, abs=1e-6)
    assert (joined[: loop.end - SEAM] == level[: loop.end - SEAM]).all()
    played = repeated(joined, loop, 20 * SEAM)
    steps = np.abs(np.diff(played[4 * SEAM :]))
    assert steps.max() < 1 / SEAM, "no jump: the whole fall is spread over the seam"
