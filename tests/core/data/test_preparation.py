"""Preparation: sources fill shards in order, finished ones are kept, and none kept is said."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import preparation
from core.data.preparation import (
    REPORTS,
    SETTINGS_FILE,
    Job,
    NothingKept,
    Part,
    Summary,
    Tick,
    cure_lines,
    open_preparation,
    prepare_part,
    prepare_shards,
)
from core.data.store import read_columns, read_metadata, shard_folder
from core.data.workers import Failure
from core.errors import ConfigError, Resumable, UserError
from core.files import write_once


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


def test_there_are_no_fewer_than_no_processes():
    with pytest.raises(ConfigError, match="jobs must be at least 0, not -1"):
        replace(numbers(1), jobs=-1)


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

    repeated = prepared(tmp_path, numbers(8, process, lambda *state: ticks.append(state)))
    assert seen == [item for item in range(8) if item // 3 in lost]
    assert ticks == [(done, 8) for done in reported]
    assert repeated == whole
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


SETTINGS = {"sources": "abc"}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_parts_in_any_order_give_the_shards_of_the_whole(tmp_path: Path, monkeypatch):
    """Eleven numbers in shards of two: the first of four parts has shards 0 and 4."""
    monkeypatch.setattr(preparation, "SOURCES_PER_SHARD", 2)
    with open_preparation(tmp_path / "whole", SETTINGS):
        whole = prepared(tmp_path / "whole", numbers(11, odd))
    to, seen, ticks = tmp_path / "parts", list[int](), list[tuple[int, int]]()

    def process(item: int) -> Number | Failure:
        seen.append(item)
        return odd(item)

    for number in (3, 1, 4, 2):
        job = numbers(11, process, lambda *state: ticks.append(state))
        part = prepare_part(to, SETTINGS, job, Part(number, 4))
        if number == 1:
            assert part.lines == [
                "part 1 of 4: 4 files, 2 rejected",
                "       2 even",
                "when all parts are read, the same command without --shard makes a collection",
            ]
    assert seen == [4, 5, 0, 1, 8, 9, 6, 7, 2, 3, 10]
    assert ticks[:6] == [(1, 2), (2, 2), (1, 4), (2, 4), (3, 4), (4, 4)]
    with open_preparation(to, SETTINGS):
        assert prepared(to, numbers(11, process)) == whole
    assert len(seen) == 11, "nothing is read again"
    assert files(to) == files(tmp_path / "whole")


def test_parts_work_beside_each_other_and_not_beside_the_whole(tmp_path: Path):
    job = numbers(300)
    with open_preparation(tmp_path, SETTINGS, Part(2, 2)):
        assert prepare_part(tmp_path, SETTINGS, job, Part(1, 2)).sources == 256
        assert prepare_part(tmp_path, SETTINGS, job, Part(1, 3)).sources == 256  # others count so
        with pytest.raises(UserError, match="another process works in"):
            opened(tmp_path, **SETTINGS)
        with pytest.raises(UserError, match="from other files"):
            prepare_part(tmp_path, {"sources": "abd"}, job, Part(1, 2))
    with open_preparation(tmp_path, SETTINGS), pytest.raises(UserError, match=r"process \d+ on"):
        prepare_part(tmp_path, SETTINGS, job, Part(2, 2))


def test_parts_that_begin_at_once_agree_on_the_settings(tmp_path: Path):
    write_once(tmp_path / SETTINGS_FILE, "first")
    write_once(tmp_path / SETTINGS_FILE, "second")
    assert files(tmp_path) == {SETTINGS_FILE: b"first"}


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "3/0", "-1/8", "3/8/2", "a/b", "3 / 8", ""])
def test_a_part_is_a_number_of_so_many(text: str):
    assert Part.parse("8/8") == Part(8, 8)
    with pytest.raises(ConfigError, match="give 3/8, for example, for the third of 8 parts"):
        Part.parse(text)


class NumberSummary(Summary):
    SOURCE = "number"
    PIECE = "digit"
    RECOMMENDED_PIECES = 100
    HOW_TO_GET_MORE = "Count on."
    WHY_NO_TEST_DATA = "all look alike"


def summary(kept: int, train: int, test: int, **counts: Any) -> NumberSummary:
    pieces = {"train": train, "test": test}
    return NumberSummary(Path("to"), 9, kept, pieces, counts.pop("rejects", Counter()), **counts)


def test_a_summary_counts_from_the_most_frequent_on_and_names_options_that_would_keep_more():
    found = summary(
        *(4, 150, 50),
        rejects=Counter(odd=2, even=3),
        cures=Counter({"below 7: --least 6": 1, "of 3: --base 3": 2}),
        skipped=Counter({".txt": 1, "no suffix": 4}),
    )
    assert found.lines == [
        "9 files: 4 kept, 5 rejected",
        "       3 even",
        "       2 odd",
        "  2 of 9: of 3: --base 3",
        "  1 of 9: below 7: --least 6",
        "5 files of other kinds passed over: 4 no suffix, 1 .txt",
        "150 digits to train on, 50 held out",
    ]


FEW = "few digits: a model memorises fewer than 100. Count on."


@pytest.mark.parametrize(
    ("kept", "train", "test", "said"),
    [
        (9, 100, 20, []),
        (9, 99, 20, [FEW]),
        (1, 100, 0, ["nothing is held out: there is one number"]),
        (2, 100, 0, ["nothing is held out: all look alike"]),
        (6, 100, 50, ["a whole number is held out, 33% of all: more numbers make that less"]),
        (7, 100, 50, []),
        (6, 140, 60, []),
    ],
)
def test_a_summary_says_what_is_missing(kept, train, test, said):
    counted = f"{train} digits to train on, {test} held out"
    assert summary(kept, train, test).lines == [
        f"9 files: {kept} kept, 0 rejected",
        counted,
        *said,
    ]


def test_a_share_of_none_is_why_nothing_is_held_out():
    assert summary(2, 100, 0, test_share=0.0).lines[-1] == "nothing is held out: test_share is 0"


def test_one_piece_and_one_file_stand_in_the_singular():
    lines = summary(1, 1, 0, skipped=Counter({".txt": 1})).lines
    assert lines[1:3] == [
        "1 file of other kinds passed over: 1 .txt",
        "1 digit to train on, 0 held out",
    ]


def test_the_most_frequent_kinds_and_cures_are_shown():
    """Eight kinds of ten, and three options of four."""
    numbered = Counter({f"kind {n}": 10 - n for n in range(10)})
    shown = ", ".join(f"{10 - n} kind {n}" for n in range(8))
    found = summary(9, 100, 20, skipped=numbered, cures=numbered).lines
    assert found[4] == f"55 files of other kinds passed over: {shown}"
    assert found[1:4] == ["  10 of 9: kind 0", "  9 of 9: kind 1", "  8 of 9: kind 2"]


def test_cures_that_differ_in_a_number_are_one_line_with_what_keeps_half():
    """9 files have 3 to 15 rows, 8 of them 9 or more; 3 files have 2 or 3 parts."""
    rows = {f"only {n} rows: --rows {n}": count for n, count in ((3, 1), (9, 4), (15, 4))}
    parts = {f"of 7 only {n} play: --parts {n}": 4 - n for n in (2, 3)}
    alone = {"only 5 lines: --lines 5": 1, "below 7: --least 6": 9}
    said = [
        "  9 of 40: below 7: --least 6",
        "  9 of 40: only 3 to 15 rows: --rows 8 would keep 8 of them",
        "  3 of 40: of 7 only 2 to 3 play: --parts 2 would keep all of them",
    ]
    counts = Counter({**rows, **parts, **alone})
    assert sorted(cure_lines(counts, 40), reverse=True) == sorted(said, reverse=True)
    few = Counter({**{f"only {n} rows: --rows {n}": 1 for n in (2, 16)}, **alone})
    assert "  2 of 40: only 2 to 16 rows: --rows 16 would keep 1 of them" in cure_lines(few, 40)
    assert "  1 of 40: only 5 lines: --lines 5" in cure_lines(few, 40)


def opened(folder: Path, **settings: Any) -> None:
    with open_preparation(folder, settings):
        pass


def test_a_preparation_is_resumed_by_the_same_settings_alone(tmp_path: Path):
    opened(to := tmp_path / "deep" / "to", sources="abc", config={"least": 3})
    opened(to, sources="abc", config={"least": 3})
    for settings, said in (
        ({"sources": "abd", "config": {"least": 3}}, "from other files, or some have changed"),
        ({"sources": "abc", "config": {"least": 4}}, r"with other settings \(least 3\): repeat"),
        ({"sources": "abd", "config": {"least": 4}}, "with other settings"),
        ({"sources": "abc"}, "with other settings"),
        ({"sources": "abc", "config": {"least": 3}, "more": 1}, "with other settings"),
    ):
        with pytest.raises(UserError, match=said):
            opened(to, **settings)


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (OSError(28, "No space left on device"), Resumable, r"No space left on .*: make room"),
        (OSError("1000 requested and 16 written"), Resumable, r"\(No space left on .*: make room"),
        (OSError(5, "Input/output error"), OSError, "Input/output error"),
        (PermissionError(13, "No right"), UserError, "write to .*: No right: choose another"),
        (PermissionError(13, "Permission denied", "/bin/x"), PermissionError, "/bin/x"),
    ],  # the second as numpy says it
)
def test_a_disk_that_is_full_at_any_moment_is_said_and_resumed(
    tmp_path: Path, error: OSError, raised: type[Exception], said: str
):
    """Shards have their own test; this is of the index, the reports and the picture."""
    with pytest.raises(raised, match=said), open_preparation(tmp_path, {}):
        raise error
    opened(tmp_path)


@pytest.mark.parametrize("is_anew", [False, True])
def test_a_preparation_whose_folder_is_removed_stops(tmp_path: Path, is_anew: bool):
    """It creates no other, and writes to none that another preparation has created since."""
    folder, other = tmp_path / "data", tmp_path / "other"
    other.symlink_to(folder)

    def remove(item: int) -> Number:
        shutil.rmtree(folder)
        if is_anew:
            folder.mkdir()
            held.enter_context(open_preparation(other, {"seed": 2}))
        return Number(item)

    said = "works in" if is_anew else "no longer there"
    with ExitStack() as held:
        with pytest.raises(UserError, match=said), open_preparation(folder, {"seed": 1}):
            prepared(folder, numbers(1, remove))
        names = {path.name for path in folder.iterdir()} if is_anew else set()
    assert names == ({".lock", SETTINGS_FILE} if is_anew else set())
    assert folder.exists() == is_anew


def test_a_folder_of_other_files_is_left_alone_and_one_of_reports_is_not(tmp_path: Path):
    (tmp_path / "rejects.jsonl").touch()
    (tmp_path / "summary.txt").touch()
    opened(tmp_path, sources="abc")
    (tmp_path / SETTINGS_FILE).unlink()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        opened(tmp_path, sources="abc")
    with pytest.raises(UserError, match=r"mine\.txt is no folder: choose another"):
        opened(tmp_path / "mine.txt")
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "mine.txt", *REPORTS}


@pytest.mark.parametrize("text", ['{"format": 3, "sour', "[3]", "3", "[" * 100_000])
def test_a_damaged_record_of_a_preparation_is_named_with_the_cure(tmp_path, text: str):
    (tmp_path / "prepare.json").write_text(text)
    damaged = pytest.raises(UserError, match=r"prepare\.json is damaged: delete ")
    with damaged, open_preparation(tmp_path, SETTINGS):
        pass
