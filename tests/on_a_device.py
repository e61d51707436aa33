"""A step of a recipe on the pretended device beside the same step on the processor."""

from dataclasses import replace
from typing import Any

import torch
from pretended import pretended_device

from core.app import fit
from core.app.domain import Domain
from core.theory.passes import Batch
from core.training.step import step

CPU = torch.device("cpu")


def require_trains_on_a_device(
    domain: Domain, data: Any, name: str, other: Any = None, *, equal: bool = True
) -> None:
    """Train twice: no tensor of the processor meets one of the device, and losses are equal.

    `equal`: false where torch leaves out what it need not compute for tensors of `meta`, such as
    what is assigned to rows of one.
    """
    config = fit.configure(domain, data, name, "tiny", ["train.batch_size=4"], other)
    draw = domain.batches(data, config, CPU, other)

    def losses(device: torch.device) -> list[dict[str, float]]:
        torch.manual_seed(1)
        state = fit._begin(domain.networks(config), config, device)
        batches = lambda number: _moved(draw(number), device)  # noqa: E731
        return [step(state, batches, number, 3, measured=True) for number in range(2)]

    here = losses(CPU)
    with pretended_device() as device:
        there = losses(device)
    assert [list(one) for one in there] == [list(one) for one in here]
    assert there == here or not equal


def _moved(batch: Batch, device: torch.device) -> Batch:
    c, other = (None if one is None else one.to(device) for one in (batch.c, batch.other))
    return replace(batch, x=batch.x.to(device), c=c, other=other)
