"""Reading MIDI files to rolls in one process, against pretty_midi + pypianoroll on the same files.

python benchmarks/prepare.py [FOLDER]       at least 15 times as fast, or it exits with 1

Without FOLDER: Freedoom's songs where they are at hand (`music/freedoom` in the data folder of
PIANOREEL_SHARED), else the procedural band's.
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pypianoroll
from rich.console import Console
from rich.table import Table

from core.data.sources import RejectedFile, Source, expand_patterns, iterate_sources
from core.data.workers import Failure
from musegen.data.band import song
from musegen.data.records import PrepareConfig, read_source
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi, write_midi
from musegen.files.smf import MIDI

STEPS_PER_BEAT = 12
RUNS = 3
BOUND = 15.0
BAND_FILES = 12
SONGS_IN_A_ROW = 4

Read = Callable[[Source], object]


def to_roll(source: Source) -> object:
    """Read a file to the cells of five tracks, as `prepare` does."""
    return read_midi(source.read(MusicLimits())).roll().cells


def to_phrases(source: Source, config: PrepareConfig) -> object:
    """Read a file to what `prepare` stores: notes, phrases, shapes and digest."""
    packed = read_source(source, config)
    if isinstance(packed, Failure):
        raise RejectedFile(packed.reason, packed.detail)
    return packed


def to_pypianoroll(source: Source) -> object:
    """Read a file to a pianoroll of each part, by pretty_midi and pypianoroll."""
    return pypianoroll.read(source.name, resolution=STEPS_PER_BEAT)


def seconds(read: Read, source: Source) -> float:
    """Return the fastest of `RUNS` runs; NaN for a file that this reader cannot read."""
    fastest = np.inf
    for _ in range(RUNS):
        begin = time.perf_counter()
        try:
            read(source)
        except Exception:
            return np.nan
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest


def measure(folder: Path) -> bool:
    """Time each reader on every file that all can read, in turn; whether the bound holds."""
    readers: dict[str, Read] = {
        "pretty_midi + pypianoroll": to_pypianoroll,
        "file to roll": to_roll,
        "file to stored phrases": partial(to_phrases, config=PrepareConfig(min_tracks=1, bars=1)),
    }
    sources = list(iterate_sources(expand_patterns([str(folder)]), MIDI, MusicLimits()))
    taken = np.array([[seconds(read, source) for read in readers.values()] for source in sources])
    total = taken[~np.isnan(taken).any(1)].sum(0)
    files = int((~np.isnan(taken).any(1)).sum())
    table = Table(
        "reader", "files a second", "times as fast", title=f"{files} of {len(sources)} files"
    )
    for name, elapsed in zip(readers, total, strict=True):
        table.add_row(name, f"{files / elapsed:.0f}", f"{total[0] / elapsed:.1f}")
    Console().print(table)
    return bool(total[0] / total[1] >= BOUND)


def band_midi(folder: Path) -> Path:
    """Write MIDI files of the band, several songs in each, as long as real songs are."""
    for number in range(BAND_FILES):
        rolls = [song([number, part])[0] for part in range(SONGS_IN_A_ROW)]
        cells = np.concatenate([roll.cells for roll in rolls], axis=1)
        tempo_bpm = np.full(cells.shape[1], rolls[0].tempo_bpm[0])
        write_midi(replace(rolls[0], cells=cells, tempo_bpm=tempo_bpm), folder / f"{number}.mid")
    return folder


def main() -> None:
    """Measure and print; exit 1 where reading is slower than promised."""
    warnings.simplefilter("ignore")
    beside = os.environ.get("PIANOREEL_SHARED", Path(__file__).parents[2] / "shared")
    default = Path(beside) / "data" / "music" / "freedoom"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    with tempfile.TemporaryDirectory() as temporary:
        holds = measure(folder if folder.is_dir() else band_midi(Path(temporary)))
    sys.exit(not holds)


if __name__ == "__main__":
    main()
