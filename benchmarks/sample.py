"""Measure the playing time generated in a second of one core, files included, by the weights that
ship, and the seconds of a single sample. Of songs also the seconds of each of eight seeds, sparse
and dense ones, and those of filling four bars of it, whole or one track. Processor time, so that
other work does not count.

python benchmarks/sample.py [--count 64]        songs of a phrase at 120 bpm, clips of 16 frames
python benchmarks/sample.py --run runs/songs    a run of music of your own
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from musegen.composition.composition import Composition
from musegen.composition.request import Request
from musegen.files.midi import write_midi
from musegen.model import DOMAIN as MUSIC
from musegen.model import Model as MusicModel
from videogen.files.clip import to_frames, write_mp4
from videogen.model import DOMAIN as VIDEO
from videogen.model import Model as VideoModel

SEEDS = range(1, 9)


def songs(model: MusicModel, count: int, folder: Path) -> float:
    """Write `count` phrases as MIDI; return the seconds that they play."""
    rolls = model.sample(count)
    for number, roll in enumerate(rolls):
        write_midi(roll, folder / f"{number}.mid")
    return sum(roll.seconds for roll in rolls)


def clips(model: VideoModel, count: int, folder: Path) -> float:
    """Write `count` clips as mp4; return the seconds that they play."""
    form, examples = model.spec, model.spec.examples
    captions = [examples[number % len(examples)] for number in range(count)]
    for number, frames in enumerate(to_frames(model.clips(captions))):
        write_mp4(frames, folder / f"{number}.mp4", form.frames_per_second)
    return count * form.frames / form.frames_per_second


def measure(count: int, run: str | None) -> Iterator[tuple[str, float, float, float]]:
    """Return (model, seconds of one sample, samples a second, seconds of play a second).

    A first sample is not counted.
    """
    kinds = ((MUSIC, MusicModel.load, songs), (VIDEO, VideoModel.load, clips))
    for domain, load, write in kinds[: 1 if run else 2]:
        assert domain.shipped
        shipped = sorted(p.name for p in domain.shipped.iterdir() if p.is_dir())
        for name in [run] if run else shipped:
            model = load(name, device="cpu")
            if isinstance(model, VideoModel) and model.enlarges:
                continue  # it samples nothing
            with tempfile.TemporaryDirectory() as folder:
                write(model, 1, Path(folder))  # type: ignore[arg-type]
                begin = time.process_time()
                write(model, 1, Path(folder))  # type: ignore[arg-type]
                middle = time.process_time()
                played = write(model, count, Path(folder))  # type: ignore[arg-type]
                elapsed = time.process_time() - middle
            yield f"{domain.name} {name}", middle - begin, count / elapsed, played / elapsed


def single(run: str | None) -> Iterator[tuple[str, list[float]]]:
    """Return (what is sampled, seconds of each of `SEEDS`): a song, and four bars of a song in all
    tracks and in that of the drums."""
    model = MusicModel.load(run or "lookback_rnn", device="cpu")
    fills = {
        "bars 5-8 of it": Request(fill="5-8"),
        "the drums of bars 13-16": Request(fill="13-16", tracks=("drums",)),
    }
    with tempfile.TemporaryDirectory() as folder:
        songs(model, 1, Path(folder))
        composed: list[float] = []
        filled: dict[str, list[float]] = {name: [] for name in fills}
        for seed in SEEDS:
            begin = time.process_time()
            roll = model.sample(1, seed=seed)[0]
            composed.append(time.process_time() - begin)
            write_midi(roll, path := Path(folder) / f"{seed}.mid")
            for name, request in fills.items():
                begin = time.process_time()
                Composition(model, request.replace(given=path)).songs(1, seed)
                filled[name].append(time.process_time() - begin)
    yield f"a song of {model.spec.bars} bars", composed
    yield from filled.items()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=64)
    arguments.add_argument("--run")
    chosen = arguments.parse_args()
    table = Table("model", "seconds of one", "samples a second", "times faster than it plays")
    torch.set_num_threads(1)
    for name, one, rate, faster in measure(chosen.count, chosen.run):
        table.add_row(name, f"{one:.2f}", f"{rate:.1f}", f"{faster:.0f}")
    Console().print(table)
    seconds = Table("seconds of one by seed", *map(str, SEEDS))
    for name, each in single(chosen.run):
        seconds.add_row(name, *(f"{one:.2f}" for one in each))
    Console().print(seconds)


if __name__ == "__main__":
    main()
