"""Batches of phrases, on which a music model is trained."""

from dataclasses import dataclass

import torch

from core.theory.passes import Batch
from musegen.bar_latents.plan import plan_of
from musegen.configuration import MusicRun
from musegen.data.collection import Collection
from musegen.densities.note_sequences import to_rows
from musegen.drafts.wishes import random_kept
from musegen.networks.states import States, to_played, to_states


@dataclass(frozen=True)
class PhraseBatches:
    """Draws phrases as x and, where tracks are given, these as c, see `Music.batches`."""

    data: Collection
    config: MusicRun
    device: torch.device
    other: Collection | None = None

    def __call__(self, number: int) -> Batch:
        if self.config.model.is_density:
            return self._notes(number)
        if self.config.model.has_form:
            return self._played(number)
        x, c = self.config.parts.divide(self._states(self.data, number))
        other = self._states(self.other, number) if self.other else None
        return Batch(x, c, other=other)

    def _states(self, source: Collection, number: int) -> States:
        cells = source.batch(number, self._size, self._seed)
        return to_states(torch.from_numpy(cells).to(self.device))

    def _notes(self, number: int) -> Batch:
        x = to_rows(self.data.note_batch(number, self._size, self._seed))
        if not self.config.model.learns_to_listen:
            return Batch(x)
        tracks, bars, chance = len(self.data.tracks), self.data.bars, [self._seed, number]
        return Batch(x, torch.from_numpy(random_kept(self._size, tracks, bars, chance)))

    def _played(self, number: int) -> Batch:
        played = self.data.played(*self.data.chosen(number, self._size, self._seed))
        cells, velocity = (torch.from_numpy(part) for part in played)
        x = to_played(cells.to(self.device), velocity.to(self.device))
        return Batch(x, plan_of(cells))

    @property
    def _size(self) -> int:
        return self.config.train.batch_size

    @property
    def _seed(self) -> int:
        return self.config.train.seed
