"""Recipes on a device: a step on the pretended one beside the processor's, a run on a GPU."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pretended import copies, pretended_device, reads

from core.app import fit
from core.app.domain import Domain
from core.app.model import Model
from core.theory.passes import Batch
from core.training.run import Run
from core.training.step import step

CPU = torch.device("cpu")


class Waits(NamedTuple):
    """The reads of the device, and the copies to it, that the processor waits for."""

    reads: int = 0
    copies: int = 0


NONE = Waits()


@contextlib.contextmanager
def moved_to_a_device(model: Model) -> Iterator[None]:
    """Let the networks of a model lie on the pretended device."""
    with pretended_device() as device:
        model.networks.to(device)
        assert model.device == device
        yield


def require_trains_on_a_device(
    domain: Domain,
    data: Any,
    name: str,
    other: Any = None,
    *,
    equal: bool = True,
    more: Waits = NONE,
    settings: Sequence[str] = (),
) -> None:
    """Train twice: no tensor of the processor meets one of the device, and losses are equal.

    `equal`: false where torch leaves out what it need not compute for tensors of `meta`, such as
    what is assigned to rows of one. A step reads the device once an update, and waits for no
    copy to it but those of its batches, which are drawn for it, and lie where their domain puts
    them. `more`: for what else it waits.
    """
    assignments = ["train.batch_size=4", *settings]
    config = fit.configure(domain, data, name, "tiny", assignments, other)

    def losses(device: torch.device) -> list[dict[str, float]]:
        torch.manual_seed(1)
        state = fit._begin(domain.networks(config), config, device)
        batches, of_batches = domain.batches(data, config, device, other), 0

        def draw(number: int) -> Batch:
            nonlocal of_batches
            before = copies()
            batch = batches(number)
            of_batches += copies() - before
            return batch

        first = step(state, draw, 0, 3, measured=True)  # reads what is to be initialised
        before, of_batches = (reads(), copies()), 0
        second = step(state, draw, 1, 3, measured=True)
        waited = Waits(reads() - before[0], copies() - before[1] - of_batches)
        updates = state.critic_steps + 1
        assert waited == (NONE if device == CPU else Waits(updates + more.reads, more.copies))
        return [first, second]

    here = losses(CPU)
    with pretended_device() as device:
        there = losses(device)
    assert [list(one) for one in there] == [list(one) for one in here]
    assert there == here or not equal


def require_runs_on_a_gpu(
    domain: Domain, data: Any, name: str, folder: Path, other: Any = None
) -> None:
    """Train on the GPU and resume there, with samples drawn after each step."""
    each = ["train.batch_size=4", "train.sample_every_steps=1", "train.log_every_steps=1"]
    for steps in (2, 3):
        settings = [*each, f"train.steps={steps}"]
        model = fit.train(domain, data, folder, name, "tiny", "cuda", settings, other)
        assert {one.device.type for one in model.networks.parameters()} == {"cuda"}
    run = Run.read(folder)
    assert {row["step"] for row in run.metrics()} >= {1, 2, 3}
    losses = [x for row in run.metrics() for x in row.values() if isinstance(x, float)]
    assert all(map(math.isfinite, losses))
    assert len(list(run.samples.iterdir())) >= 3
