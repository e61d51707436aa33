"""Files on which a reader once failed, and whole ones: read, or refused with a sentence."""

from pathlib import Path

import pytest
from formats import CORPUS, FORMATS, outcome

KEPT = sorted(path for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_is_read_or_refused(path: Path, tmp_path: Path):
    assert outcome(FORMATS[path.parent.name], path.read_bytes(), tmp_path) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_whole_files_are_read(name: str, tmp_path: Path):
    """Otherwise all that is damaged would be refused at the first look."""
    whole = tmp_path / "whole"
    whole.mkdir()
    for number, data in enumerate(FORMATS[name].seeds(whole)):
        place = tmp_path / str(number)
        place.mkdir()
        (place / name).write_bytes(data)
        FORMATS[name].read(place / name)


@pytest.mark.slow
def test_a_reader_that_raises_something_else_is_found(tmp_path: Path):
    def read(path: Path) -> None:
        raise KeyError(path.read_bytes())

    kind = FORMATS["song.mid"]
    failing = type(kind)(kind.name, kind.seeds, read)
    assert outcome(failing, b"abc", tmp_path).startswith("KeyError in test_corpus.py:")
