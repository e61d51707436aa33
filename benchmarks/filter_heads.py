"""Heads that make kernels of captions: dense, of a low rank, or none: what they cost and tell.

python benchmarks/filter_heads.py [--minutes 1.5]

Cost: weights of text readers and filters, processor time and peak memory of a step of tfgan with
the published sizes, 8 clips of 16 frames of 64 x 64 pixels. Accuracy: the two critics of the
preset `small` learn, for so many minutes of the processor, to score clips of moving shapes higher
with their own caption than with a wrong one. Then, of other clips of the training captions and of
held-out ones, the share is counted that scores higher with its own caption than with one of which
a single attribute differs; chance is 50 %. Each head has a process and a thread of its own.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table
from text_filters import BATCH, FRAMES, HEADS, SIZE, WIDTHS, count  # type: ignore[import-not-found]
from torch import Tensor, nn

from core.app.fit import configure
from core.theory.adversarial import logistic, mean_over_patches
from core.theory.passes import Networks
from core.training.step import TrainState, step
from videogen.configuration import VideoRun
from videogen.model import DOMAIN
from videogen.networks.text import CaptionEncoder, Captions
from videogen.networks.text_filters import TextFilter
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.grammar import COLOURS, KINDS, MOTIONS, SIZES, Shape, Split, parse

CRITICS = ("critic_frames", "critic_clips")
SMALL, SMALL_BATCH, JUDGED = 32, 16, 128
SPLITS: dict[str, Split] = {"seen": "train", "held-out": "test"}
ATTRIBUTES = ("kind", "size", "colour", "motion")
RATE = 1e-3
Value = TypeVar("Value")


@dataclass(frozen=True)
class Cost:
    """Weights that read captions, seconds of a step, and the process's peak memory in GB."""

    weights: int
    seconds: float
    memory: float


def configured(head: str, preset: str, size: int, batch: int, *widths: str) -> VideoRun:
    """Return the configuration of tfgan with this head."""
    sizes = [*HEADS[head], f"train.batch_size={batch}", "train.bf16=false", *widths]
    return configure(DOMAIN, MovingShapes(size, FRAMES), "tfgan", preset, sizes)


def readers(networks: Networks) -> list[nn.Module]:
    """Return the parts of both critics that read captions."""
    parts = [part for critic in CRITICS for part in networks[critic].modules()]
    return [part for part in parts if isinstance(part, CaptionEncoder | TextFilter)]


def cost(head: str) -> Cost:
    """Measure a step of the whole game."""
    torch.set_num_threads(1)
    widths = (f"model.video.{key}={value}" for key, value in WIDTHS.items())
    config = configured(head, "base", SIZE, BATCH, *widths)
    networks = DOMAIN.networks(config)
    train = config.train
    state = TrainState(networks, config.model.resolved_recipe, train.learner, train.critic)
    draw = DOMAIN.batches(MovingShapes(SIZE, FRAMES), config, torch.device("cpu"))
    step(state, draw, 0, seed=1)
    begin = time.process_time()
    step(state, draw, 1, seed=1)
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cost(sum(map(count, readers(networks))), seconds, peak)


def accuracy(head: str, minutes: float) -> tuple[int, int, list[tuple[str, ...]]]:
    """Train both critics to tell right from wrong captions; return weights, steps and a table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = configured(head, "small", SMALL, SMALL_BATCH, "model.video.critic_channels=16")
    data, networks = MovingShapes(SMALL, FRAMES), DOMAIN.networks(config)
    draw = DOMAIN.batches(data, config, torch.device("cpu"))
    critics = [networks[name] for name in CRITICS]
    adam = torch.optim.Adam([p for one in critics for p in one.parameters()], RATE, (0.9, 0.99))
    begin, steps = time.process_time(), 0
    while time.process_time() - begin < 60 * minutes:
        batch = draw(steps)
        assert batch.c is not None
        wrong = batch.c.roll(1, 0)
        losses = [
            mean_over_patches(logistic(one(batch.x, batch.c), one(batch.x, wrong)))
            for one in critics
        ]
        adam.zero_grad()
        sum(losses, torch.zeros(())).mean().backward()
        adam.step()
        steps += 1
    tokens = Captions(config.spec.words)
    table = [
        (name, split, *judged(networks[name], data, tokens, SPLITS[split]))
        for name in CRITICS
        for split in SPLITS
    ]
    return sum(map(count, readers(networks))), steps, table


@torch.no_grad()
def judged(critic: nn.Module, data: MovingShapes, tokens: Captions, split: Split) -> Iterator[str]:
    """Yield for each attribute the % of clips that score higher than with another of it."""
    clips, captions = data.clips(10**6, JUDGED, 1, split)

    def scores(said: list[str]) -> Tensor:
        parts = zip(clips.split(64), tokens.encode(said).split(64), strict=True)
        return torch.cat([mean_over_patches(critic(x, c)) for x, c in parts])

    own = scores(captions)
    for attribute in ATTRIBUTES:
        other = scores([changed(parse(caption)[0], attribute).caption for caption in captions])
        yield f"{100 * float((own > other).float().mean()):.0f}"


def changed(shape: Shape, attribute: str) -> Shape:
    """Return the shape with the next value of an attribute; of a motion, path and direction."""
    if attribute == "motion":
        path, direction = following(MOTIONS, (shape.path, shape.direction))
        return replace(shape, path=path, direction=direction)
    values = {"kind": KINDS, "size": tuple(SIZES), "colour": tuple(COLOURS)}[attribute]
    return replace(shape, **{attribute: following(values, asdict(shape)[attribute])})


def following(values: tuple[Value, ...], value: Value) -> Value:
    """Return the value after this one, after the last the first."""
    return values[(values.index(value) + 1) % len(values)]


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.5, help="of training, for each head")
    minutes = parser.parse_args().minutes
    costs = Table("head", "text weights", "s a step", "peak memory, GB")
    results = Table("head", "text weights", "steps", "critic", "captions", *ATTRIBUTES)
    for head in HEADS:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            spent = alone.submit(cost, head).result()
        costs.add_row(head, f"{spent.weights:,}", f"{spent.seconds:.1f}", f"{spent.memory:.1f}")
        weights, steps, rows = accuracy(head, minutes)
        for row in rows:
            results.add_row(head, f"{weights:,}", f"{steps:,}", *row)
    console = Console(width=120)
    console.print(costs)
    console.print(results)


if __name__ == "__main__":
    main()
