"""The counts in the picture of a collection."""

from pathlib import Path

import pytest
from handmade import midi, note, tempo

from musegen.data.collection import Collection
from musegen.data.overview import DENSITIES, TEMPI_BPM, Counts
from musegen.data.preparation import prepare
from musegen.data.records import PrepareConfig


def test_bars_notes_and_tempi_are_counted(tmp_path: Path):
    """The piano starts notes in bars 0 and 3, drums in 1, 2 and 3; at 90 bpm."""
    piano = note(60, 5 * 480, after=480) + note(72, 240, after=8 * 480)
    drums = 3 * note(38, 100, after=4 * 480, channel=10)
    (tmp_path / "a.mid").write_bytes(midi(tempo(666_667), piano, drums))
    config = PrepareConfig(bars=1, min_tracks=1)
    prepare([str(tmp_path / "a.mid")], tmp_path / "data", config, jobs=0)
    counts = Counts.of(Collection.open(tmp_path / "data"))
    assert counts.bars == 4
    assert counts.use.tolist() == [3, 2, 0, 0, 0]
    assert counts.pitch[0].nonzero()[0].tolist() == [38 - 24]
    assert counts.pitch[:, 38 - 24].tolist() == [3, 0, 0, 0, 0]
    assert counts.pitch[1].nonzero()[0].tolist() == [60 - 24, 72 - 24]
    assert counts.tempo.nonzero()[0].tolist() == [(90 - TEMPI_BPM[0]) // 6 - 1]
    assert counts.density.sum() == 4
    assert counts.density[: len(DENSITIES)].nonzero()[0].tolist() == [0, 1]


@pytest.mark.parametrize("bpm", [5, 1000])
def test_values_beyond_a_histogram_are_counted_at_its_ends(tmp_path: Path, bpm: int):
    (tmp_path / "a.mid").write_bytes(midi(tempo(60_000_000 // bpm), 200 * note(60, 9, after=1)))
    config = PrepareConfig(bars=1, min_tracks=1)
    prepare([str(tmp_path / "a.mid")], tmp_path / "data", config, jobs=0)
    counts = Counts.of(Collection.open(tmp_path / "data"))
    assert counts.tempo[0 if bpm < 30 else -1] == counts.bars
