"""A step of a recipe on the pretended device beside the same step on the processor."""

from collections.abc import Sequence
from typing import Any

import torch
from pretended import pretended_device, reads

from core.app import fit
from core.app.domain import Domain
from core.training.step import step

CPU = torch.device("cpu")


def require_trains_on_a_device(
    domain: Domain,
    data: Any,
    name: str,
    other: Any = None,
    *,
    equal: bool = True,
    reads_more: int = 0,
    settings: Sequence[str] = (),
) -> None:
    """Train twice: no tensor of the processor meets one of the device, and losses are equal.

    `equal`: false where torch leaves out what it need not compute for tensors of `meta`, such as
    what is assigned to rows of one. The device is read once an update, and `reads_more` times;
    batches are drawn for it, and lie where their domain puts them.
    """
    assignments = ["train.batch_size=4", *settings]
    config = fit.configure(domain, data, name, "tiny", assignments, other)

    def losses(device: torch.device) -> list[dict[str, float]]:
        torch.manual_seed(1)
        state = fit._begin(domain.networks(config), config, device)
        batches = domain.batches(data, config, device, other)
        first = step(state, batches, 0, 3, measured=True)  # reads what is to be initialised
        before = reads()
        second = step(state, batches, 1, 3, measured=True)
        assert reads() - before <= state.critic_steps + 1 + reads_more, f"{reads() - before} reads"
        return [first, second]

    here = losses(CPU)
    with pretended_device() as device:
        there = losses(device)
    assert [list(one) for one in there] == [list(one) for one in here]
    assert there == here or not equal
