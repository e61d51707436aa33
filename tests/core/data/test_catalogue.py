"""The split: whole clusters are held out, by lot, and steadily so."""

from pathlib import Path

import numpy as np
import pytest

from core.data.catalogue import Catalogue
from core.data.catalogue import held_out as held_out_by_pieces
from core.data.preparation import cure_lines
from core.data.store import write_shard


def held_out(owner: np.ndarray, names: list[str], share: float, seed: int) -> list[bool]:
    """Hold out sources of one piece each."""
    return held_out_by_pieces(owner, np.ones(len(owner), int), names, share, seed)


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


def test_a_cluster_that_grows_stays_on_its_side():
    """A second version of each song, whose content is later in order: the first draws the lot."""
    test = held_out(np.arange(100), contents(100), 0.2, seed=0)
    versions = [f"version of {number}" for number in range(100)]
    assert max(contents(100)) < min(versions)
    grown = held_out(np.tile(np.arange(100), 2), contents(100) + versions, 0.2, seed=0)
    assert grown == [*test, *test]


def test_the_share_is_of_the_pieces():
    """A fifth of the pieces of 400 sources, which have 1 to 7 each."""
    pieces = 1 + np.arange(400) % 7
    test = np.array(held_out_by_pieces(np.arange(400), pieces, contents(400), 0.2, seed=0))
    assert 0.2 * pieces.sum() - 7 < pieces[test].sum() <= 0.2 * pieces.sum()


@pytest.mark.parametrize(("pieces", "held"), [([49, 39], [1]), ([3, 900], [0]), ([5, 9, 4], [2])])
def test_of_few_sources_the_one_with_the_fewest_pieces_is_held_out(
    pieces: list[int], held: list[int]
):
    for seed in range(3):
        owner = np.arange(len(pieces))
        test = held_out_by_pieces(owner, np.array(pieces), contents(len(pieces)), 0.15, seed)
        assert np.flatnonzero(test).tolist() == held


def test_options_that_would_keep_sources_are_counted():
    details = ["two: --least 2", "broken", "two: --least 2", "one: --least 1", "ratio 3: 4"]
    rejects = [(str(n), "few", detail) for n, detail in enumerate(details)]
    cures = Catalogue(rejects=rejects).cures
    assert cure_lines(cures, 9) == ["  2 of 9: two: --least 2", "  1 of 9: one: --least 1"]


def test_the_pieces_of_all_shards_by_hand(tmp_path: Path):
    """A song of 10 entries with pieces from 0 and 4, its copy, then songs of 7 and of 5."""
    songs = [("a", "x", 10), ("b", "x", 10), ("c", "y", 7)]
    metadata = [{"source": s, "content": c, "length": n} for s, c, n in songs]
    rejected = {"source": "bad", "reason": "empty", "detail": "no note"}
    columns = {"firsts": np.array([0, 4, 0, 4, 2]), "firsts_of_source": np.array([2, 2, 1])}
    write_shard(tmp_path, 0, columns, [*metadata[:2], rejected, metadata[2]])
    columns = {"firsts": np.array([0, 3]), "firsts_of_source": np.array([2])}
    write_shard(tmp_path, 1, columns, [{"source": "d", "content": "z", "length": 5}])
    found = Catalogue.read(tmp_path, 2, "length", "the same notes")
    assert found.rejects == [
        ("b", "duplicate", "the same notes as a"),
        ("bad", "empty", "no note"),
    ]
    for source, split in zip(found.sources, ("train", "test", "train"), strict=True):
        source["split"] = split
    pieces = found.pieces(tmp_path, "firsts")
    assert {name: column.tolist() for name, column in pieces.items()} == {
        "source": [0, 0, 1, 2, 2],
        "shard": [0, 0, 0, 1, 1],
        "begin": [0, 4, 22, 0, 3],
        "first": [0, 4, 2, 0, 3],
        "is_test": [False, False, True, False, False],
    }
    numbers = {column.dtype for name, column in pieces.items() if name != "is_test"}
    assert numbers == {np.dtype(np.int32)}  # on every platform, or digests would differ


def test_options_that_keep_as_many_files_as_the_third_are_all_named():
    rejects = [(f"{name}{n}", "few", f"{name}: --{name}") for name in "abcde" for n in range(2)]
    found = cure_lines(Catalogue(rejects=rejects).cures, 10)
    assert found == [f"  2 of 10: {name}: --{name}" for name in "abcde"]
    more = Catalogue(rejects=[*rejects, *rejects[:6]]).cures
    assert cure_lines(more, 10) == [f"  4 of 10: {name}: --{name}" for name in "abc"]
