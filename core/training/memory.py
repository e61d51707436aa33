"""Batches in parts, whose gradients add up to its own: those of several processes, and those of a
batch that does not fit into memory."""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from core import processes
from core.errors import ConfigError, UserError
from core.networks.critics import MinibatchDiscrimination
from core.theory.contracts import EMDensity
from core.theory.passes import Batch, Networks
from core.theory.shapes import Loss, Losses
from core.training.device import random_state, set_random_state

LOG = logging.getLogger("pianoreel")

Gradients = Callable[[Batch, float], Mapping[str, Loss]]
"""(part of a batch, its share) -> mean losses of the part; adds their gradients by that share."""

COMPARING = (_BatchNorm, MinibatchDiscrimination, EMDensity)
"""Networks that see the samples of a batch beside each other."""


NO_MEMORY = (
    "DefaultCPUAllocator",
    "backend out of memory",
    "error: out of memory",
    "ALLOC_FAILED",
)
"""Words of torch's errors on a processor, on Apple's GPU, of the driver and libraries of CUDA."""


@dataclass
class Parts:
    """The number of parts in which a batch is trained on: 1, until it does not fit into memory.

    Of several processes each trains on its own part, in one go. The parts are of about the same
    size. Their gradients are those of the whole batch, up to rounding and to the order of random
    numbers, where nothing compares its samples. A codebook counts how often its codes are used
    once a part.
    """

    networks: Networks
    count: int = 1

    def add_up(
        self,
        batch: Batch,
        parameters: Sequence[nn.Parameter],
        gradients: Gradients,
        undo: Callable[[], None] = lambda: None,
    ) -> dict[str, Tensor]:
        """Set the gradients of a batch; return its mean losses.

        The parts are halved as often as memory does not suffice. `undo`: takes back what else an
        attempt has changed that did not fit. `UserError` names the setting to lower where they
        cannot be, and where there are more processes than samples.
        """
        if len(batch.x) < processes.count():
            raise ConfigError(
                f"{processes.count()} processes share a batch of {len(batch.x)}: raise "
                "train.batch_size (--set train.batch_size=N), or start fewer"
            )
        device = next(self.networks.parameters()).device
        before, kept = random_state(device), _changed_by_passes(self.networks)
        while (losses := self._attempt(batch, parameters, gradients)) is None:
            gc.collect()
            self._halve(len(batch.x))
            set_random_state(before)
            for value, earlier in kept:
                value.copy_(earlier)
            undo()
        return processes.add_up(parameters, losses)

    def mean(self, name: str, loss: Losses | Loss) -> Loss:
        """Return the mean of a part's losses; `UserError` for a loss of a whole batch."""
        if loss.ndim == 0 and self.count > 1:
            raise _indivisible(f"the loss {name}")
        return loss.mean()

    def _attempt(
        self, batch: Batch, parameters: Sequence[nn.Parameter], gradients: Gradients
    ) -> dict[str, Tensor] | None:
        """Return None where memory does not suffice."""
        losses: dict[str, Tensor] = {}
        for parameter in parameters:
            parameter.grad = None
        try:
            own = _own(batch)
            for part in split(own, min(self.count, len(own.x))):
                share = len(part.x) / len(batch.x)
                for name, loss in gradients(part, share).items():
                    losses[name] = losses.get(name, 0.0) + share * loss.detach()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return losses

    def _halve(self, samples: int) -> None:
        if processes.count() > 1:
            raise UserError(
                f"process {processes.number()} has too little memory for its part of the batch: "
                "lower train.batch_size (--set train.batch_size=N), or start more processes"
            )
        for network in self.networks.modules():
            if isinstance(network, COMPARING):
                raise _indivisible(type(network).__name__)
        if self.count >= samples:
            raise UserError(
                "a single sample needs more memory than there is: choose a smaller --preset or "
                "another --device"
            )
        self.count = min(2 * self.count, samples)
        LOG.warning(
            "a batch of %d does not fit into memory: it is trained on in %d parts",
            samples,
            self.count,
        )


@torch.no_grad()
def _changed_by_passes(networks: Networks) -> list[tuple[Tensor, Tensor]]:
    """Return what a pass may change before any optimizer does, each with a copy of it.

    These are the buffers of a network, such as the usage of a codebook, and the weights beside
    them: its codes, or the scales that a flow's first batch initialises.
    """
    found: list[Tensor] = []
    for network in networks.modules():
        if buffers := list(network.buffers(recurse=False)):
            found += [*buffers, *network.parameters(recurse=False)]
    return [(value.detach(), value.clone()) for value in found]


def _indivisible(whole: str) -> UserError:
    return UserError(
        f"there is too little memory, and {whole} sees a whole batch, which can therefore not be "
        "trained on in parts: lower train.batch_size (--set train.batch_size=N)"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory does not suffice, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error) if isinstance(error, RuntimeError) else ""
    return any(words in said for words in NO_MEMORY)


def _own(batch: Batch) -> Batch:
    """Return this process's part of a batch."""
    return split(batch, processes.count())[processes.number()]


def split(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into parts of about the same size.

    >>> [part.x.tolist() for part in split(Batch(torch.arange(5)), 2)]
    [[0, 1, 2], [3, 4]]
    """
    if count == 1:
        return [batch]
    ends = [0, *accumulate(len(part) for part in torch.arange(len(batch.x)).tensor_split(count))]
    return [batch[start:end] for start, end in pairwise(ends)]
