"""Nothing of a step stays in memory: no tensor is part of a cycle, which would wait for Python."""

import gc
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from core.app import fit
from core.app.domain import Domain
from core.training.step import step

CPU = torch.device("cpu")


def require_no_cycles(domain: Domain, data: Any, name: str, other: Any = None) -> None:
    """Train a step, and find no tensor among what only a search for cycles can free."""
    config = fit.configure(domain, data, name, "tiny", ["train.batch_size=4"], other)
    draw = domain.batches(data, config, CPU, other)
    state = fit._begin(domain.networks(config), config, CPU)
    step(state, draw, 0, 3, measured=True)  # with what is initialised by data
    gc.freeze()  # the search leaves out all that was there before, and is short
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        step(state, draw, 1, 3, measured=True)
        gc.collect()
        kinds = Counter(type(one).__qualname__ for one in gc.garbage)
        tensors = [one for one in gc.garbage if isinstance(one, Tensor)]
        assert not tensors, f"{len(tensors)} tensors wait for Python: {kinds.most_common(8)}"
    finally:
        gc.set_debug(0)
        gc.garbage.clear()  # and all stays frozen: what has no cycles is freed nevertheless
