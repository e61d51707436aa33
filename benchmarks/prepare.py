"""Reading MIDI files to rolls in one process, against two peers on the same files.

python benchmarks/prepare.py [FOLDER]...

At least 15 times as fast as pretty_midi + pypianoroll, in Python, and three tenths as fast as the
pianorolls of symusic, in C++, or it exits with 1. Times are of the processor, and the bounds are
on their ratios over all files. On a machine that is busy with ten other processes these are up to
a third smaller than on a quiet one: short steps over small arrays wait for memory that others use.
Without FOLDER: as many files of each of several collections, where they are at hand (`music` in
the data folder of PIANOREEL_SHARED), else the procedural band's.
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pypianoroll
import symusic
from rich.console import Console
from rich.table import Table

from core.data.sources import RejectedFile, Source, expand_patterns, iterate_sources
from core.data.workers import Failure
from musegen.data.band import song
from musegen.data.records import PrepareConfig, read_source
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi, write_midi
from musegen.roll import joined
from musegen.smf.chunks import MIDI

STEPS_PER_BEAT = 12
RUNS = 3
BOUND = 15.0
BOUND_OF_NATIVE = 0.3
COLLECTIONS = ("freedoom", "simutrans", "easyrpg", "pop909", "chorales")
FILES_OF_EACH = 30
BAND_FILES = 12
SONGS_IN_A_ROW = 4

Read = Callable[[Source], object]


def to_cells(source: Source) -> object:
    """Read a file to the cells of five tracks."""
    return read_midi(source.read(MusicLimits()), meter="any").cells()


def to_phrases(source: Source, config: PrepareConfig) -> object:
    """Read a file to what `prepare` stores: notes, phrases, shapes and digest."""
    packed = read_source(source, config)
    if isinstance(packed, Failure):
        raise RejectedFile(packed.reason, packed.detail)
    return packed


def to_pypianoroll(source: Source) -> object:
    """Read a file to a pianoroll of each part, by pretty_midi and pypianoroll."""
    return pypianoroll.read(source.name, resolution=STEPS_PER_BEAT)


def to_symusic(source: Source) -> object:
    """Read a file to onsets and sounding notes of each part, with velocities, by symusic."""
    score = symusic.core.ScoreTick.from_midi(source.read(MusicLimits()))
    score = score.resample(tpq=STEPS_PER_BEAT, min_dur=1)
    return score.pianoroll(modes=["onset", "frame"], encode_velocity=True)


def seconds(read: Read, source: Source) -> float:
    """Return the fastest of `RUNS` runs, in processor time; NaN for a file that it cannot read."""
    fastest = np.inf
    for _ in range(RUNS):
        begin = time.process_time()
        try:
            read(source)
        except Exception:
            return np.nan
        fastest = min(fastest, time.process_time() - begin)
    return fastest


def measure(folders: Sequence[Path], most: int | None) -> bool:
    """Time each reader on the files that all can read, `most` of each folder; whether the bound
    holds on the whole."""
    config = PrepareConfig(min_tracks=1, bars=1, meter="any")
    phrases = partial(to_phrases, config=config)
    readers: tuple[Read, ...] = (to_pypianoroll, to_symusic, to_cells, phrases)
    names = ("pretty_midi + pypianoroll", "symusic's pianorolls", "to cells", "to stored phrases")
    table = Table("files read", *names, "times pypianoroll", "symusic", title="files a second")
    parts = [_timed(folder, readers, most) for folder in folders]
    for name, taken in zip(
        [*(f.name for f in folders), "all"], [*parts, np.concatenate(parts)], strict=True
    ):
        total = taken.sum(0)
        rates = [f"{len(taken) / one:.0f}" for one in total]
        ratios = [", ".join(f"{r:.3g}" for r in peer / total[2:]) for peer in total[:2]]
        table.add_row(f"{name}: {len(taken)}", *rates, *ratios)
    Console().print(table)
    pypianoroll_s, symusic_s, cells_s, phrases_s = np.concatenate(parts).sum(0)
    is_faster = pypianoroll_s / cells_s >= BOUND
    return bool(is_faster and symusic_s / phrases_s >= BOUND_OF_NATIVE)


def _timed(folder: Path, readers: Sequence[Read], most: int | None) -> np.ndarray:
    """Return the seconds [file reader] of the files that all can read, in turn."""
    sources = list(iterate_sources(expand_patterns([str(folder)]), MIDI, MusicLimits()))
    chosen = sources[:: -(-len(sources) // most)] if most else sources
    taken = np.array([[seconds(read, source) for read in readers] for source in chosen])
    return taken[~np.isnan(taken).any(1)]


def band_midi(folder: Path) -> Path:
    """Write MIDI files of the band, several songs in each, as long as real songs are."""
    for number in range(BAND_FILES):
        rolls = [song([number, part])[0] for part in range(SONGS_IN_A_ROW)]
        whole = joined(rolls)
        tempo_bpm = np.full(whole.bars, rolls[0].tempo_bpm[0])
        write_midi(replace(whole, tempo_bpm=tempo_bpm), folder / f"{number}.mid")
    return folder


def main() -> None:
    """Measure and print; exit 1 where reading is slower than promised."""
    warnings.simplefilter("ignore")
    beside = Path(os.environ.get("PIANOREEL_SHARED", Path(__file__).parents[2] / "shared"))
    known = [beside / "data" / "music" / name for name in COLLECTIONS]
    folders = list(map(Path, sys.argv[1:]))
    most = None if folders else FILES_OF_EACH
    folders = folders or [folder for folder in known if folder.is_dir()]
    with tempfile.TemporaryDirectory() as temporary:
        holds = measure(folders or [band_midi(Path(temporary))], most)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
