"""The split: whole clusters are held out, by lot, and steadily so."""

import numpy as np
import pytest

from core.data.catalogue import held_out


def contents(count: int) -> list[str]:
    return [f"content of {number}" for number in range(count)]


def test_a_share_of_the_songs_is_held_out():
    alone = np.arange(1000)
    for share in (0.15, 0.5):
        assert sum(held_out(alone, contents(1000), share, seed=0)) == 1000 * share
    assert sum(held_out(alone, contents(1000), 0.0, seed=0)) == 0


def test_a_cluster_is_on_one_side():
    owner = np.repeat(np.arange(100) * 5, 5)
    test = np.array(held_out(owner, contents(500), 0.15, seed=3)).reshape(100, 5)
    assert set(test.sum(1)) == {0, 5}
    assert test.sum() == 75


def test_a_cluster_above_the_share_is_trained_on():
    owner = np.array([0, 0, 0, 0, 0, 0, 0, 0, 8, 9])
    test = held_out(owner, contents(10), 0.15, seed=0)
    assert sum(test) == 1
    assert not any(test[:8])


@pytest.mark.parametrize(
    ("owner", "held"), [([0], 0), ([0, 0, 0], 0), ([0, 1], 1), ([0, 0, 2], 1)]
)
def test_of_two_clusters_one_is_held_out(owner: list[int], held: int):
    assert sum(held_out(np.array(owner), contents(len(owner)), 0.15, seed=0)) == held


def test_the_seed_draws_the_lot():
    alone = np.arange(100)
    first = held_out(alone, contents(100), 0.15, seed=0)
    assert held_out(alone, contents(100), 0.15, seed=0) == first
    assert held_out(alone, contents(100), 0.15, seed=1) != first


def test_more_songs_and_another_order_change_little():
    def names(count: int, step: int) -> set[str]:
        songs = contents(count)[::step]
        test = held_out(np.arange(count), songs, 0.15, seed=0)
        return {song for song, held in zip(songs, test, strict=True) if held}

    assert names(400, -1) == names(400, 1)
    before, after = names(400, 1), names(420, 1)
    assert len(before & after) >= 54  # of 60
