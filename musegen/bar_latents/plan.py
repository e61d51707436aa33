"""The plan of pieces: their form, and how many notes start in each bar.

Networks compute for the bars that sound and for the notes that start alone: shapes depend on how
many there are. The plan of a batch is on the processor, which counts them there: a device that is
asked for them makes it wait.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from musegen.bar_latents.form import SILENT, form_of_cells
from musegen.networks.states import ONSET, Cells

Plan = Int[Tensor, "batch 3 bar track"]
"""The two layers of a form, then the number of notes that start in each bar."""

Places = tuple[Tensor, ...]
"""The index of each place along each axis."""


def plan_of(cells: Cells) -> Plan:
    """Return the plan of phrases that are on the processor."""
    starts = torch.from_numpy((cells.numpy() == ONSET).sum((3, 4)))  # [batch track bar]
    notes = starts.transpose(1, 2)[:, None]  # [batch 1 bar track]
    return torch.cat([form_of_cells(cells), notes], 1)


class Sounding(NamedTuple):
    """The bars that sound, on the device that computes with them, and their number by track."""

    plays: Bool[Tensor, "batch bar track"]
    counts: list[int]

    @classmethod
    def planned(cls, plan: Plan, device: torch.device) -> "Sounding":
        """Return the bars of a plan that sound."""
        there = plan.to(device, non_blocking=True)
        return cls(there[:, 0] != SILENT, cls.counted(plan[:, 0] != SILENT).counts)

    @classmethod
    def counted(cls, plays: Bool[Tensor, "batch bar track"]) -> "Sounding":
        """Count bars where they lie."""
        return cls(plays, plays.sum((0, 1)).tolist())


def note_count(plan: Plan) -> int:
    """Return the number of notes of all phrases together."""
    return int(plan[:, 2].sum())


def nonzero(chosen: Bool[Tensor, "*shape"], count: int | None = None) -> Places:
    """Return the places that are chosen, `count` in all, in their order.

    The n-th is where n have been counted. Without `count` a device makes the processor wait.

    >>> [index.tolist() for index in nonzero(torch.eye(2) > 0, 2)]
    [[0, 1], [0, 1]]
    """
    chosen = chosen.contiguous()
    count = int(chosen.sum()) if count is None else count
    number = torch.arange(1, count + 1, dtype=torch.int32, device=chosen.device)
    so_far = chosen.flatten().cumsum(0, dtype=torch.int32)  # [batch*...]
    place = torch.searchsorted(so_far, number)
    return tuple(place // n % size for n, size in zip(chosen.stride(), chosen.shape, strict=True))
