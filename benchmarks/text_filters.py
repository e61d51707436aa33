"""Text filters by one grouped convolution, and a step of TFGAN, beside the obvious alternatives.

python benchmarks/text_filters.py [--published FOLDER] [--steps 1]

Convolving each sample with its own kernels in a loop gives the same numbers. With the folder of
the published code (github.com/minrq/CGAN_Text2Video, no part of this repository) a step of its
critics and generator is timed beside ours: 8 clips of 16 frames of 64 x 64 pixels, the widths of
its configs/shapes.yaml. Processor time of one thread.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from core.app.fit import configure
from core.training.step import TrainState, step
from videogen.model import DOMAIN
from videogen.networks.text import CaptionEncoder
from videogen.networks.text_filters import TextFilter, convolve_each
from videogen.shapes.dataset import MovingShapes

BATCH, FRAMES, SIZE, WORDS = 8, 16, 64, 16
WIDTHS = {
    "decoder": "path",
    "latent": 256,
    "motion": 256,
    "width": 256,
    "channels": 32,
    "critic_channels": 32,
    "text.width": 256,
}
"""Those of the published configuration."""
HEADS = {
    "dense, two levels": ["model.video.filter_rank=0", "model.video.text.reader=convolutions"],
    "dense": ["model.video.filter_rank=0"],
    "rank 32": ["model.video.filter_rank=32"],
    "rank 8": ["model.video.filter_rank=8"],
    "concatenation": ["model.video.text_filter=false"],
}
"""Settings of what makes kernels of captions; the first is that of the published code."""


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the processor time of one run, after one that is not counted."""
    work()
    begin = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - begin) / repeats


def looped(maps: Tensor, kernels: Tensor) -> Tensor:
    """Convolve one frame after the other, each with its caption's kernels."""
    repeat = len(maps) // len(kernels)
    each = [F.conv2d(maps[n : n + 1], kernels[n // repeat], padding=2) for n in range(len(maps))]
    return torch.cat(each)


def convolutions(table: Table) -> None:
    """Time the filters of all frames at half the resolution: forward, and with backward."""
    maps = torch.randn(BATCH * FRAMES, 32, SIZE // 2, SIZE // 2, requires_grad=True)
    kernels = torch.randn(BATCH, 32, 32, 5, 5, requires_grad=True)
    for convolve in (looped, convolve_each):

        def both(convolve: Callable[[Tensor, Tensor], Tensor] = convolve) -> None:
            torch.autograd.grad(convolve(maps, kernels).sum(), (maps, kernels))

        def forward(convolve: Callable[[Tensor, Tensor], Tensor] = convolve) -> None:
            with torch.no_grad():
                convolve(maps, kernels)

        times = seconds(forward, 3), seconds(both, 3)
        table.add_row(convolve.__name__, *(f"{t:.2f}" for t in times), "")


def ours(head: str, steps: int, table: Table) -> None:
    """Time a step of our recipe with the filters of this head."""
    data = MovingShapes(SIZE, FRAMES)
    widths = [f"model.video.{key}={value}" for key, value in WIDTHS.items()]
    sizes = [f"train.batch_size={BATCH}", "train.bf16=false"]
    config = configure(DOMAIN, data, "tfgan", "base", [*widths, *sizes, *HEADS[head]])
    torch.manual_seed(0)
    networks = DOMAIN.networks(config)
    train = config.train
    state = TrainState(networks, config.model.resolved_recipe, train.learner, train.critic)
    draw = DOMAIN.batches(data, config, torch.device("cpu"))
    took = seconds(lambda: step(state, draw, 0, seed=1), steps)
    filters = sum(
        count(part)
        for critic in ("critic_frames", "critic_clips")
        for part in networks[critic].modules()
        if isinstance(part, CaptionEncoder | TextFilter)
    )
    table.add_row(f"step, ours, {head}", "", f"{took:.1f}", f"{filters:,}")


def count(network: nn.Module) -> int:
    """Return the number of its weights."""
    return sum(p.numel() for p in network.parameters())


def published_code(folder: Path) -> ModuleType:
    """Import the networks of the published code."""
    path = folder / "gan_training" / "models" / "resnet2.py"
    spec = importlib.util.spec_from_file_location("published", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published(folder: Path, steps: int, table: Table) -> None:
    """Time a step as its training does: both critics with their penalties, then the generator."""
    code: Any = published_code(folder)
    sizes = {"z_dim": 256, "size": SIZE, "embed_size": 256, "nfilter": 32}
    generator, reader = code.Generator(**sizes), code.TextEncoder(z_dim=256)
    frames, clips = code.ImageDiscriminator(**sizes), code.VideoDiscriminator(**sizes)
    parts = (generator, reader, frames, clips)
    adams = [torch.optim.Adam(part.parameters(), 1e-4, (0.0, 0.99)) for part in parts]
    x, right = torch.randn(BATCH, 3, FRAMES, SIZE, SIZE), torch.randn(BATCH, 300, WORDS)
    wrong = right.roll(1, 0)

    def fake(content: Tensor, motion: Tensor) -> Tensor:
        return generator(generator.sample_z_video(BATCH, content, motion, device="cpu"))

    def critic(network: nn.Module, which: int) -> None:
        real = x.clone().requires_grad_()
        readings = reader(right)
        score = network(real, readings[which], readings[which + 2])
        (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
        with torch.no_grad():
            generated = fake(readings[2], readings[3])
        others = reader(wrong)
        against = F.softplus(network(x, others[which], others[which + 2])).mean()
        against = (
            against + F.softplus(network(generated, readings[which], readings[which + 2])).mean()
        )
        loss = F.softplus(-score).mean() + 0.5 * against + 10 * slope.square().sum() / BATCH
        update(loss, network, reader)

    def update(loss: Tensor, *trained: nn.Module) -> None:
        for adam in adams:
            adam.zero_grad()
        loss.backward()
        for part, adam in zip(parts, adams, strict=True):
            if part in trained:
                adam.step()

    def one_step() -> None:
        critic(frames, 0)
        critic(clips, 1)
        readings = [part.detach() for part in reader(right)]
        generated = fake(readings[2], readings[3])
        scores = (
            frames(generated, readings[0], readings[2]),
            clips(generated, readings[1], readings[3]),
        )
        update(sum(F.softplus(-score).mean() for score in scores), generator)  # type: ignore[arg-type]

    table.add_row("step, published", "", f"{seconds(one_step, steps):.1f}", f"{count(reader):,}")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", type=Path, help="folder of the published code")
    parser.add_argument("--steps", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("", "forward, s", "with backward, s", "text weights")
    convolutions(table)
    for head in ("dense, two levels", "dense", "rank 8"):
        ours(head, arguments.steps, table)
    if arguments.published:
        published(arguments.published, arguments.steps, table)
    Console().print(table)


if __name__ == "__main__":
    main()
