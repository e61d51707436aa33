"""Batches of notes, on which a model of notes is trained."""

from dataclasses import dataclass
from functools import cached_property

import torch

from core.theory.passes import Batch
from musegen.voice.conditions import one_hot
from musegen.voice.configuration import VoiceRun
from musegen.voice.data.collection import Collection
from musegen.voice.spectrogram import Spectrogram


@dataclass(frozen=True)
class NoteBatches:
    """Draws pairs of notes of one take as x, and their pitches as c."""

    data: Collection
    config: VoiceRun
    device: torch.device

    @cached_property
    def spectrogram(self) -> Spectrogram:
        return self.config.model.spectrogram(self.config.spec)

    def __call__(self, number: int) -> Batch:
        train = self.config.train
        batch = self.data.pairs(number, train.batch_size, train.seed)
        x = self.spectrogram.analyse(torch.from_numpy(batch.sounds).to(self.device))
        return Batch(x, one_hot(batch.pitches, self.config.spec).to(self.device))
