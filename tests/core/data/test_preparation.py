"""Preparation: sources fill shards in order, finished ones are kept, and none kept is said."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import preparation
from core.data.preparation import SETTINGS_FILE, Job, NothingKept, Tick, prepare_shards
from core.data.store import read_columns, read_metadata, shard_folder
from core.data.workers import Failure


@dataclass
class Number:
    """A record of one number."""

    value: int

    @property
    def facts(self) -> dict[str, Any]:
        return {"content": str(self.value), "length": 1}


def columns(records: Sequence[Number]) -> dict[str, np.ndarray]:
    return {"value": np.array([record.value for record in records], int)}


def numbers(
    count: int,
    process: Callable[[int], Number | Failure] = Number,
    tick: Tick = lambda done, total: None,
) -> Job:
    """Numbers from 0, each squared once it is read."""
    return Job(
        items=range(count),
        count=count,
        process=process,
        name=lambda item: f"number {item}",
        columns=columns,
        seconds=0,
        memory_mb=0,
        jobs=0,
        tick=tick,
        finish=lambda record: Number(record.value**2),
    )


def prepared(folder: Path, job: Job):
    return prepare_shards(folder, job, "length", "the same number", "number")


def odd(item: int) -> Number | Failure:
    return Number(item) if item % 2 else Failure("even", f"{item} is even")


def test_a_shard_holds_256_sources_in_their_order(tmp_path: Path):
    catalogue = prepared(tmp_path, numbers(257))
    assert sorted(p.name for p in tmp_path.glob("shard-*")) == ["shard-00000", "shard-00001"]
    assert read_columns(tmp_path, 0)["value"].tolist() == [n**2 for n in range(256)]
    assert read_columns(tmp_path, 1)["value"].tolist() == [256**2]
    assert catalogue.locations[255:] == [(0, 255, 255), (1, 0, 0)]


@pytest.mark.parametrize(
    ("lost", "reported"),
    [
        ((0, 1, 2), range(1, 9)),
        ((1,), range(6, 9)),
        ((2,), (7, 8)),
        ((0, 2), range(4, 9)),
        ((), ()),
    ],
)
def test_lost_shards_alone_are_prepared_and_the_others_count_as_done(
    tmp_path: Path, monkeypatch, lost, reported
):
    """Eight sources in shards of three: the last one holds two."""
    monkeypatch.setattr(preparation, "SOURCES_PER_SHARD", 3)
    whole = prepared(tmp_path, numbers(8))
    for number in lost:
        (shard_folder(tmp_path, number) / "value.npy").unlink()
    seen: list[int] = []
    ticks: list[tuple[int, int]] = []

    def process(item: int) -> Number:
        seen.append(item)
        return Number(item)

    again = prepared(tmp_path, numbers(8, process, lambda *state: ticks.append(state)))
    assert seen == [item for item in range(8) if item // 3 in lost]
    assert ticks == [(done, 8) for done in reported]
    assert again == whole
    assert read_columns(tmp_path, 2)["value"].tolist() == [36, 49]


def test_what_is_left_out_is_listed_with_its_reason(tmp_path: Path):
    catalogue = prepared(tmp_path, numbers(5, odd))
    assert [source["source"] for source in catalogue.sources] == ["number 1", "number 3"]
    assert read_columns(tmp_path, 0)["value"].tolist() == [1, 9]
    lines = (tmp_path / "rejects.jsonl").read_text().splitlines()
    expected = [
        {"path": f"number {item}", "reason": "even", "detail": f"{item} is even"}
        for item in (0, 2, 4)
    ]
    assert [json.loads(line) for line in lines] == expected
    assert read_metadata(tmp_path, 0)[1] == {"source": "number 1", "content": "1", "length": 1}


def test_a_folder_in_which_nothing_is_kept_is_free_for_another_preparation(tmp_path: Path):
    (tmp_path / SETTINGS_FILE).touch()
    with pytest.raises(NothingKept, match=r"no number .* of 2 files \(2 broken\)"):
        prepared(tmp_path, numbers(2, lambda item: Failure("broken", "no number")))
    assert [path.name for path in tmp_path.iterdir()] == ["rejects.jsonl"]
