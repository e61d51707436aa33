"""Preparing 1,000, 10,000 and 100,000 songs, the search for near-duplicates included.

python benchmarks/scale.py [COUNT]...     memory and time a song hardly grow, or it exits with 1

Songs are drawn notes, which costs less than reading files does: what is measured is the rest, the
tables of songs and phrases. Every fourth song is the one before it in another key with some notes
changed, a near-duplicate that must come to the same side of the split. Each count is prepared in a
process of its own. Times are of the processor.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

from musegen.data import preparation
from musegen.data.collection import Collection
from musegen.data.records import PrepareConfig, SongRecord, pack
from musegen.reading.song import Song
from musegen.roll import Grid, Notes, Roll
from musegen.tracks import LAKH

COUNTS = (1_000, 10_000, 100_000)
BARS, NOTES = 20, 400
COPIES = 4
"""One song of so many is a near-duplicate."""
CHANGED = 0.05
"""Share of the notes of a near-duplicate that are changed."""
SLOWER = 1.5
"""Most time a song that more songs may take, times that of fewer."""
KILOBYTES = 16.0
"""Most memory of a further song: its line of the index, and its shapes, of which at most some four
million are compared."""
CONFIG = PrepareConfig(grid=Grid(steps_per_beat=4))


def drawn(number: int, config: PrepareConfig, style: str | None = None) -> SongRecord:
    """Draw a song; the last one of every `COPIES` is a near-duplicate of the one before it."""
    is_copy = number % COPIES == COPIES - 1
    notes = _notes(np.random.default_rng(number - is_copy), config.grid)
    if is_copy:
        change = np.random.default_rng([number, 1]).random(NOTES) < CHANGED
        pitch = np.where(change, 2, 1 + notes.pitch)
        notes = Notes(notes.track, notes.start, pitch, notes.length, notes.velocity)
    roll = Roll.of(notes, LAKH, config.grid, np.full(BARS, 120.0), f"song {number}")
    return pack(Song.of(roll), config)


def _notes(generator: np.random.Generator, grid: Grid) -> Notes:
    start = np.sort(generator.integers(0, BARS * grid.steps_per_bar, NOTES))
    track, pitch = generator.integers(0, len(LAKH), NOTES), generator.integers(9, 70, NOTES)
    return Notes(track, start, pitch, generator.integers(1, 8, NOTES), np.full(NOTES, 100))


def prepare(count: int, to: Path) -> tuple[float, float]:
    """Prepare so many songs; return seconds of the processor and the peak of memory in MB."""
    begin = time.process_time()
    with mock.patch.object(preparation, "play_song", drawn):
        preparation.prepare_band(count, to, CONFIG)
    seconds = time.process_time() - begin
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _check(Collection.open(to))
    return seconds, peak_mb


def _check(data: Collection) -> None:
    """Every near-duplicate is found, and nothing else is taken for one."""
    cluster = np.array([song.cluster for song in data.songs])
    number = np.arange(len(cluster))
    assert (cluster == number - (number % COPIES == COPIES - 1)).all()


def measured(count: int) -> tuple[float, float]:
    """Prepare so many songs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--to", str(Path(folder, "data")), str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds, peak_mb = json.loads(done.stdout)
    return seconds, peak_mb


def holds(counts: list[int]) -> bool:
    """Measure and print each count; whether the bounds hold from each to the next."""
    found = [measured(count) for count in counts]
    table = Table("songs", "seconds", "ms a song", "peak, MB", "kB for each further song")
    good, before = True, None
    for count, (seconds, peak_mb) in zip(counts, found, strict=True):
        further = ""
        if before:
            kilobytes = 1024 * (peak_mb - before[2]) / (count - before[0])
            good &= seconds / count < SLOWER * before[1] / before[0] and kilobytes < KILOBYTES
            further = f"{kilobytes:.1f}"
        row = (f"{seconds:.1f}", f"{1000 * seconds / count:.2f}", f"{peak_mb:.0f}", further)
        table.add_row(f"{count:,}", *row)
        before = (count, seconds, peak_mb)
    Console().print(table)
    return good


def main() -> None:
    """Measure and print; exit 1 where time or memory grow faster than the songs."""
    if sys.argv[1:2] == ["--to"]:
        print(json.dumps(prepare(int(sys.argv[3]), Path(sys.argv[2]))))
    else:
        sys.exit(not holds([int(argument) for argument in sys.argv[1:]] or list(COUNTS)))


if __name__ == "__main__":
    main()
