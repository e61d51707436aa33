"""Prepare notes: render them with a soundfont, or read recordings; split and store.

    prepare([], "data/fluid", soundfont=Path("FluidR3_GM.sf2"))     takes of its programs
    prepare(["violin/"], "data/violin")                             recordings of single notes

`core.data.preparation` says how an interrupted preparation resumes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data import preparation
from core.data.catalogue import Catalogue
from core.data.preparation import Job, Tick, open_preparation, pieces_by_split, prepare_shards
from core.data.sources import Scan, expand_patterns, iterate_sources, scan
from core.data.store import write_index
from core.errors import ConfigError, UserError
from core.files import digest
from musegen.voice.data.names import descriptions, named
from musegen.voice.data.recordings import SOUND, Recording, read
from musegen.voice.data.records import PROGRAMS, PrepareConfig, columns_of

FEWEST_PITCHES = 4
"""Instruments with fewer pitches are trained on with all of them."""


@dataclass(frozen=True)
class Summary(preparation.Summary):
    """Counts of the takes or recordings, of their notes, and of instruments."""

    SOURCE = "recording"
    PIECE = "note"
    RECOMMENDED_PIECES = 200
    HOW_TO_GET_MORE = "More recordings, or more of a soundfont's programs, give more"
    WHY_NO_TEST_DATA = f"no instrument has {FEWEST_PITCHES} pitches"

    left_out: Counter[str] = field(default_factory=Counter)
    timbres: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        left_out = [f"  {count:6} notes left out: {why}" for why, count in self.left_out.items()]
        names = ", ".join(self.timbres[:8]) + (", ..." if len(self.timbres) > 8 else "")
        return [*super().lines, *left_out, f"{len(self.timbres)} instruments: {names}"]


def prepare(
    sources: Sequence[str],
    to: str | Path,
    config: PrepareConfig = PrepareConfig(),
    soundfont: Path | None = None,
    *,
    jobs: int = 2,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Prepare notes to the folder `to`; each file is kept or listed in rejects.jsonl.

    Either `sources`, recordings, or a soundfont, by default the one that songs are played with.
    `jobs`: child processes; 0 works in this process.
    """
    if sources and soundfont:
        raise ConfigError("give either recordings or --soundfont FILE.sf2")
    if sources and config.programs != PROGRAMS:
        raise ConfigError("--programs are a soundfont's: leave them out with recordings")
    if config.lowest > config.highest:
        raise ConfigError("lowest is above highest: give --lowest 24 --highest 84, for example")
    if sources:
        job, found = _reading(sources, config, jobs, tick)
    else:
        job, found = _rendering(soundfont, config, jobs, tick)
    settings = {"config": config.model_dump(mode="json"), "sources": found.sha256}
    with open_preparation(Path(to), settings) as folder:
        return _prepare(folder, job, config, found)


def _rendering(
    soundfont: Path | None, config: PrepareConfig, jobs: int, tick: Tick
) -> tuple[Job, Scan]:
    from musegen.playing.orchestra import SOUNDFONT  # torch, which recordings do without
    from musegen.playing.sf2 import Soundfont
    from musegen.voice.data.takes import render, takes_of

    soundfont = soundfont or SOUNDFONT
    takes = list(takes_of(config))
    Soundfont(soundfont)  # one that is none is said once, and not for each take
    if wrong := [take.program for take in takes if not 0 <= take.program <= 127]:
        raise ConfigError(f"programs are 0 to 127, not {wrong[0]}")
    function = partial(render, soundfont=str(soundfont), config=config)
    job = _job(takes, len(takes), function, config, jobs, tick)
    return job, Scan(len(takes), digest(soundfont))


def _reading(
    sources: Sequence[str], config: PrepareConfig, jobs: int, tick: Tick
) -> tuple[Job, Scan]:
    starts, limits = expand_patterns(sources), config.limits
    found = scan(starts, SOUND, limits)
    if not found.count:
        raise UserError(f"no sound file ({', '.join(SOUND)}) in {', '.join(sources)}")
    described = descriptions([start for start in starts if start.is_dir()])
    recordings = (
        Recording(source, named(source.name, described))
        for source in iterate_sources(starts, SOUND, limits)
    )
    function = partial(read, config=config)
    return _job(recordings, found.count, function, config, jobs, tick), found


def _job(
    items: Any, count: int, function: Any, config: PrepareConfig, jobs: int, tick: Tick
) -> Job:
    limits = config.limits
    return Job(
        items,
        count,
        function,
        lambda item: item.name,
        partial(columns_of, samples=config.samples),
        limits.seconds,
        limits.memory_mb,
        jobs,
        tick,
        chunk_size=1,
    )


def _prepare(folder: Path, job: Job, config: PrepareConfig, found: Scan) -> Summary:
    """Read all, split the notes, index them, and write the report."""
    kept = prepare_shards(folder, job, "notes", "the same notes", "recording")
    timbres = tuple(sorted({source["timbre"] for source in kept.sources}))
    columns = _columns(folder, kept, timbres)
    columns["is_test"] = held_out(columns["timbre"], columns["pitch"], config)
    facts = {
        "domain": "voice",
        "sample_rate_hz": config.sample_rate_hz,
        "samples": config.samples,
        "lowest": config.lowest,
        "highest": config.highest,
        "timbres": timbres,
    }
    write_index(folder, kept.shards, facts, columns)
    left_out = sum((Counter(source["left_out"]) for source in kept.sources), Counter[str]())
    counts = pieces_by_split(columns["is_test"])
    kept_of = len(kept.sources)
    summary = Summary(
        folder, job.count, kept_of, counts, kept.reasons, found.skipped, kept.cures, left_out,
        timbres, test_share=config.test_share,
    )  # fmt: skip
    summary.write()
    return summary


def _columns(folder: Path, kept: Catalogue, timbres: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns of the notes: where they are, pitch, timbre, and take.

    A take is a timbre at a velocity.
    """
    for source in kept.sources:
        source["split"] = "train"  # decided note by note
    pieces = kept.pieces(folder, "starts")
    numbers = {timbre: number for number, timbre in enumerate(timbres)}
    number = np.array([numbers[source["timbre"]] for source in kept.sources])
    pitch, velocity = (
        np.concatenate(kept.rows(folder, f"{n}")) for n in ("pitches", "velocities")
    )
    timbre = number[pieces["source"]]
    take = np.unique(np.stack([timbre, velocity]), axis=1, return_inverse=True)[1]
    return {**pieces, "pitch": pitch, "velocity": velocity, "timbre": timbre, "take": take}


def held_out(timbre: np.ndarray, pitch: np.ndarray, config: PrepareConfig) -> np.ndarray:
    """Return which notes are held out: of each timbre a share of its pitches."""
    is_test = np.zeros(len(pitch), bool)
    for number in np.unique(timbre):
        own = timbre == number
        pitches = np.unique(pitch[own])
        if len(pitches) < FEWEST_PITCHES:
            continue
        generator = np.random.default_rng([config.seed, number])
        count = round(config.test_share * len(pitches))
        is_test |= own & np.isin(pitch, generator.choice(pitches, count, replace=False))
    return is_test
