"""Steps a second of training, by domain, model and preset, and the memory that it takes.

python benchmarks/train.py [--preset small] [--steps 10] [--device cpu] [--only NAME] [--give-back]

Music is the procedural band's, clips are moving shapes; the last column is the share of a step
that is spent on drawing them. Peaks of a GPU are each model's own.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from core.app.configuration import ModelConfig, RunConfig
from core.app.fit import configure
from core.theory.passes import Networks
from core.training.device import choose_device, computes_bf16, keep_freed_memory
from core.training.step import Batches, TrainState, step
from musegen.data.collection import Collection
from musegen.data.preparation import prepare_band
from musegen.model import DOMAIN as MUSIC
from videogen.model import DOMAIN as VIDEO
from videogen.presets import SHAPES_SIZE
from videogen.shapes.dataset import MovingShapes

WIRINGS = (
    ("musegan", "hybrid"),
    ("musegan", "composer"),
    ("musegan", "jamming"),
    ("note_transformer", None),
    ("lookback_rnn", None),
)
RECIPES = (
    *("gist", "gist_flow_edges", "gist_gan", "text_to_video"),
    *("tfgan", "latent_tfgan", "vgan"),
)
ONCE = ["train.steps=1"]
LINE = "{:32}{:>16}{:>18}{:>10}{:>9}"
WARM_UP = 2

Row = tuple[str, ModelConfig, RunConfig, Networks, Batches]


def music_rows(preset: str, device: torch.device, only: str) -> Iterator[Row]:
    """Yield each wiring of MuseGAN, and the densities over notes."""
    chosen = [pair for pair in WIRINGS if only in pair[0]]
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare_band(20, Path(folder) / "band")
        data = Collection.open(Path(folder) / "band")
        for model, wiring in chosen:
            wired = [f"model.musegan.wiring={wiring}"] if wiring else []
            config = configure(MUSIC, data, model, preset, [*wired, *ONCE])
            parts = MUSIC.networks(config)
            draw = MUSIC.batches(data, config, device)
            yield f"music {model} {wiring or ''}", config.model, config, parts, draw


def video_rows(preset: str, device: torch.device, only: str) -> Iterator[Row]:
    """Yield recipes with each kind of decoder."""
    data = MovingShapes(SHAPES_SIZE[preset])
    for model in (name for name in RECIPES if only in name):
        config = configure(VIDEO, data, model, preset, ONCE)
        parts = VIDEO.networks(config)
        yield f"video {model}", config.model, config, parts, VIDEO.batches(data, config, device)


def measure(row: Row, steps: int, device: torch.device) -> tuple[float, float]:
    """Return (seconds of a step, share spent on drawing batches) after warm-up steps."""
    _, model, config, parts, draw = row
    train = config.train
    bf16 = train.bf16 and computes_bf16(device)
    state = TrainState(
        parts.to(device), model.resolved_recipe, train.learner, train.critic, bf16=bf16
    )
    drawing = 0.0

    def timed(number: int) -> object:
        nonlocal drawing
        begin = time.perf_counter()
        batch = draw(number)
        drawing += time.perf_counter() - begin
        return batch

    for number in range(steps + WARM_UP):
        if number == WARM_UP:
            begin, drawing = time.perf_counter(), 0.0
        step(state, timed, number, seed=0)  # type: ignore[arg-type]
    elapsed = time.perf_counter() - begin
    return elapsed / steps, drawing / elapsed


def memory_mb(device: torch.device) -> float:
    """Return the peak memory: of a GPU since the last call, else of the process so far."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--preset", default="small")
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--device", default="auto")
    arguments.add_argument("--only", default="", help="models whose name contains this")
    arguments.add_argument("--give-back", action="store_true", help="freed memory, as glibc does")
    chosen = arguments.parse_args()
    if not chosen.give_back:
        keep_freed_memory()
    device = choose_device(chosen.device)
    print(f"preset {chosen.preset} on {device}, {torch.get_num_threads()} threads")
    print(LINE.format("model", "steps a second", "samples a second", "peak MB", "drawing"))
    for rows in (music_rows, video_rows):
        for row in rows(chosen.preset, device, chosen.only):
            torch.manual_seed(0)
            seconds, drawing = measure(row, chosen.steps, device)
            rate = f"{1 / seconds:.2f}", f"{row[2].train.batch_size / seconds:.0f}"
            memory = f"{memory_mb(device):.0f}"
            print(LINE.format(row[0], *rate, memory, f"{drawing:.0%}"), flush=True)


if __name__ == "__main__":
    main()
