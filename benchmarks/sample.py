"""Music made a second, MIDI writing included, against the time it plays (4 bars at 120 bpm: 8 s).

python benchmarks/sample.py [MODEL ...] [--count 256]       the shipped models by default
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from musegen.midi import write_midi
from musegen.model import DOMAIN, Model


def measure(model: Model, count: int) -> tuple[float, float]:
    """(phrases a second, seconds of music for each second), after one phrase to warm up."""
    model.sample(1)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        rolls = model.sample(count)
        for number, roll in enumerate(rolls):
            write_midi(roll, Path(folder) / f"{number}.mid")
        elapsed = time.perf_counter() - begin
    return count / elapsed, sum(roll.seconds for roll in rolls) / elapsed


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("models", nargs="*")
    arguments.add_argument("--count", type=int, default=256)
    chosen = arguments.parse_args()
    names = chosen.models or sorted(p.name for p in DOMAIN.shipped.iterdir() if p.is_dir())
    table = Table("model", "phrases a second", "times faster than it plays")
    for name in names:
        rate, faster = measure(Model.load(name, device="cpu"), chosen.count)
        table.add_row(name, f"{rate:.1f}", f"{faster:.0f}")
    Console().print(f"{torch.get_num_threads()} threads")
    Console().print(table)


if __name__ == "__main__":
    main()
