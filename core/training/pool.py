"""The pool of earlier produced samples, by which a critic does not forget what it once rejected.

Shrivastava, Pfister, Tuzel, Susskind, Wang and Webb, CVPR 2017, section 2.3; Zhu, Park, Isola and
Efros, ICCV 2017, section 4, keep 50.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from core import processes
from core.theory.passes import Point

SHARE = 0.5
"""Probability of exchange once the pool is full."""


@dataclass
class Pool:
    """Up to `size` produced samples of a critic's space, `kept`: tensors [kept *event].

    Samples arrive one after the other. The pool takes them in until it is full. From then on each
    is exchanged, with probability 1/2, for a kept one, whose place it takes; else the critic sees
    it, and the pool stays as it is. All tensors of a sample stay together. Several processes have
    one pool.
    """

    size: int
    kept: Point = ()

    def __post_init__(self) -> None:
        self.settled = self.kept

    def __call__(self, produced: Point) -> Point:
        """Return what the critic sees in place of these samples, as many of them.

        Which are exchanged is decided by torch's random state of the CPU.
        """
        arriving = tuple(processes.gathered(part.contiguous()) for part in produced)
        kept = self.kept or tuple(part[:0] for part in arriving)
        known = [torch.cat(parts) for parts in zip(kept, arriving, strict=True)]
        seen, places = self._exchanged(len(kept[0]), len(arriving[0]))
        self.kept = tuple(part[places] for part in known)
        return tuple(part[processes.own_part(seen)] for part in known)

    @property
    def is_finite(self) -> Bool[Tensor, ""]:
        """Return whether all that is kept is finite; it stays on its device."""
        return torch.stack([torch.isfinite(part).all() for part in self.kept]).all()

    def settle(self, taken: bool) -> None:
        """Keep what arrived for a step that is taken; of one that is skipped, nothing.

        What is not finite would else return long after its step.
        """
        if taken:
            self.settled = self.kept
        self.kept = self.settled

    @processes.by_first
    def _exchanged(self, filled: int, arriving: int) -> tuple[list[int], list[int]]:
        """Return which samples are seen and which are kept afterwards, out of kept and arriving.

        The samples of a batch arrive one by one too: one can be exchanged for another of them.
        """
        seen, kept = [], list(range(filled))
        chosen = (torch.rand(arriving) < SHARE).tolist()
        places = torch.randint(self.size, (arriving,)).tolist()
        for sample, (exchange, place) in enumerate(zip(chosen, places, strict=True), filled):
            if len(kept) < self.size:
                kept.append(sample)
                seen.append(sample)
            elif exchange:
                seen.append(kept[place])
                kept[place] = sample
            else:
                seen.append(sample)
        return seen, kept

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"kept": self.kept}

    def load(self, stored: Mapping[str, Any], device: torch.device) -> None:
        """Load a stored `state`."""
        self.kept = self.settled = tuple(part.to(device) for part in stored["kept"])
