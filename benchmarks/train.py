"""Steps a second of training, by preset and model, on the procedural band.

python benchmarks/train.py [--preset small] [--steps 10]
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from core.learning import Learning, step
from musegen.collection import Collection
from musegen.data import prepare_band
from musegen.model import batches, configure, networks

MODELS = (("musegan", "hybrid"), ("musegan", "composer"), ("musegan", "jamming"), ("notes", None))


def measure(data: Collection, model: str, wiring: str | None, preset: str, steps: int) -> float:
    """Steps a second, the first two not counted."""
    config = configure(data, model, wiring, preset, ["train.steps=1"])
    torch.manual_seed(0)
    parts = networks(config.model, config.form)
    train = config.train
    learning = Learning(
        parts, config.model.statements, train.learner, train.critic, bf16=train.bf16
    )
    draw = batches(data, train.batch_size, 0, torch.device("cpu"))
    for number in range(steps + 2):
        if number == 2:
            begin = time.perf_counter()
        step(learning, draw, number, seed=0)
    return steps / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--preset", default="small")
    arguments.add_argument("--steps", type=int, default=10)
    chosen = arguments.parse_args()
    table = Table("model", "wiring", "preset", "steps a second", "phrases a second")
    with tempfile.TemporaryDirectory() as folder:
        prepare_band(20, Path(folder) / "band")
        data = Collection.open(Path(folder) / "band")
        for model, wiring in MODELS:
            rate = measure(data, model, wiring, chosen.preset, chosen.steps)
            size = configure(data, model, wiring, chosen.preset).train.batch_size
            row = (model, wiring or "", chosen.preset, f"{rate:.2f}", f"{rate * size:.0f}")
            table.add_row(*row)
    Console().print(f"{torch.get_num_threads()} threads")
    Console().print(table)


if __name__ == "__main__":
    main()
