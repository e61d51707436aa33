"""Batches of captioned clips, on which a video model is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from core.theory.contracts import require
from core.theory.passes import Batch
from videogen.captioned_clips import CaptionedClips
from videogen.configuration import VideoRun
from videogen.data.augmentation import Augmentation
from videogen.data.collection import Collection
from videogen.data.division import Halves, recombined
from videogen.files.clip import Clips, to_clips
from videogen.networks.text import Captions, Tokens
from videogen.shapes.dataset import MovingShapes


@dataclass(frozen=True)
class ClipBatches:
    """Draws clips as x and tokens as c, see `Video.batches`; those of files are changed.

    halves: those of captions, of which novel ones are composed, if the model needs them.
    """

    data: CaptionedClips
    config: VideoRun
    device: torch.device
    other: CaptionedClips | None
    tokens: Captions
    augment: Augmentation
    halves: Mapping[str, Halves]

    def at(self, used: float) -> "ClipBatches":
        """Return the batches where this share of the training's budget is used."""
        return replace(self, augment=self.config.augment.at(used))

    def __call__(self, number: int) -> Batch:
        clips, captions = self._clips(self.data, number)
        if self.other is not None:
            return Batch(clips, other=self._clips(self.other, number)[0])
        if not self.config.model.video.captions:
            return Batch(clips)
        if self.config.wrong_captions:
            captions = [*captions[1:], captions[0]]
        novel = self.novel(clips, captions) if self.halves else None
        return Batch(clips, self._encoded(captions), novel=novel)

    def novel(self, clips: Clips, captions: Sequence[str]) -> Batch:
        """Return captions joined of halves of two, with the clips whose second halves they have;
        those of one second half are a group."""
        joined, halves = recombined(captions, self.halves), self.halves
        rows = [row for _, row in joined]
        sources = [captions[row] for row in rows]
        endings = [halves[one][1] if one in halves else one for one in sources]
        names = list(dict.fromkeys(endings))
        group = torch.tensor([names.index(ending) for ending in endings], device=self.device)
        return Batch(clips[rows], self._encoded([words for words, _ in joined]), group=group)

    def _encoded(self, captions: Sequence[str]) -> Tokens:
        return self.tokens.encode(captions).to(self.device)

    def _clips(self, source: CaptionedClips, number: int) -> tuple[Clips, list[str]]:
        size, seed = self.config.train.batch_size, self.config.train.seed
        if not isinstance(source, Collection):
            shapes = require(source, MovingShapes)
            return shapes.clips(number, size, seed, device=self.device)
        frames, captions = source.batch(number, size, seed, "train", self.augment)
        clips = to_clips(frames).contiguous()  # strided ones cost three times as much
        return clips.to(self.device), captions
