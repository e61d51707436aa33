"""A model of notes as its user meets it: train on prepared notes, load, sample, play.

train(Collection.open("data/notes"), "runs/notes", preset="small")
model = Model.load("runs/notes")           # or Model.load() for the weights that ship
sounds = model.notes_of([60, 64, 67], seed=3)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from core.app.domain import Examples
from core.app.latent import LatentPoints
from core.app.model import Model as CoreModel
from core.app.sampling import Rows, in_chunks, seeded
from core.errors import ConfigError
from core.theory.distributions import Distribution
from core.theory.shapes import Samples
from musegen.playing.voice import LOUDEST, Pitches, Waveforms
from musegen.voice.conditions import one_hot
from musegen.voice.configuration import DataSpec, VoiceModel
from musegen.voice.data.names import pitch_of_text
from musegen.voice.data.records import PrepareConfig
from musegen.voice.domain import Voice
from musegen.voice.spectrogram import Sounds, Spectrogram


class Model(CoreModel[Sounds]):
    """Trained networks with what they need to make notes."""

    domain: ClassVar[Voice]
    config: VoiceModel
    spec: DataSpec

    @cached_property
    def spectrogram(self) -> Spectrogram:
        return self.config.spectrogram(self.spec)

    @property
    def form(self) -> PrepareConfig:
        """Return the form that notes have which the model reads."""
        spec = self.spec
        return PrepareConfig(sample_rate_hz=spec.sample_rate_hz, seconds=spec.seconds)

    def to_x(self, items: Sounds) -> Samples:
        return self.spectrogram.analyse(items.to(self.device))

    def from_x(self, x: Samples) -> Sounds:
        return self.spectrogram.synthesise(x).clamp(-1, 1).cpu()

    def output(self, distribution: Distribution) -> Samples:
        """Return one sample: noise has phases that are drawn."""
        return distribution.rsample()

    def read_conditions(self, conditions: Sequence[str] | None) -> Tensor | None:
        """Return the one-hot pitches of their names."""
        if conditions is None:
            return None
        pitches = [pitch_of_text(text) for text in conditions]
        if None in pitches:
            raise ConfigError(f"{conditions[pitches.index(None)]} is no pitch: give C4 or 60")
        return one_hot([p for p in pitches if p is not None], self.spec).to(self.device)

    def example_conditions(self, count: int) -> Tensor | None:
        """Return one-hot pitches, from the lowest on."""
        pitches = [self.spec.lowest + n % self.spec.pitches for n in range(count)]
        return one_hot(pitches, self.spec).to(self.device)

    def sampled_like(self, examples: Examples, seed: int) -> Sounds:
        pitches = [pitch_of_text(text) or self.spec.lowest for text in examples.conditions or ()]
        return self.samples(pitches, seed)

    @torch.no_grad()
    def samples(self, pitches: Sequence[int], seed: int = 0) -> Sounds:
        """Sample a note for each pitch, each in a timbre of its own."""
        raw = one_hot(pitches, self.spec).to(self.device)

        def draw(rows: Rows) -> Samples:
            z = self.prior(len(rows)).rsample()
            return self._decoded(z, raw[rows])

        return self.from_x(in_chunks(len(pitches), seed, self.device, draw))

    @torch.no_grad()
    def notes_of(self, pitches: Sequence[int], seed: int = 0) -> Sounds:
        """Return notes of one timbre, the seed's; each depends on its pitch alone."""
        raw = one_hot(pitches, self.spec).to(self.device)
        z = self.space.latents(self.space.draw(1, raw[:1], seed))
        x = []
        for pitch, one in zip(pitches, raw, strict=True):
            with seeded(seed, int(pitch), self.device):
                x.append(self._decoded(z, one[None]))
        return self.from_x(torch.cat(x))

    def voice(self, seed: int = 0) -> "Timbre":
        """Return the timbre of a seed as a voice for songs and keyboards."""
        return Timbre(self, seed)

    def _decoded(self, z: Tensor, raw: Tensor) -> Samples:
        c = self.networks["condition"](raw)
        return self.output(self.networks["decoder"](z, c))

    @torch.no_grad()
    def spectral_error(self, examples: Examples) -> float:
        """Return the mean error of the levels of reconstructions, in x; 0 without an encoder."""
        if "encoder" not in self.networks:
            return 0.0
        points: LatentPoints = self.encode(examples.items, examples.conditions)
        levels = self.space.decode(points).representative[:, 0]
        return (levels - self.to_x(examples.items)[:, 0]).abs().mean().item()


@dataclass(frozen=True)
class Timbre:
    """A timbre of a model, as a voice that plays: see `musegen.playing.voice.Voice`.

    It sounds the same however hard it is struck.
    """

    model: Model
    seed: int
    velocities: tuple[int, ...] = (LOUDEST,)

    @property
    def sample_rate_hz(self) -> int:
        return self.model.spec.sample_rate_hz

    @property
    def pitches(self) -> range:
        return range(self.model.spec.lowest, self.model.spec.highest + 1)

    def notes(self, pitches: Pitches, velocities: Pitches, seconds: float) -> Waveforms:
        """Return the sounds of notes, not longer than those of training."""
        sounds = self.model.notes_of(pitches.tolist(), self.seed).numpy()
        return sounds[:, : max(1, round(seconds * self.sample_rate_hz))]


DOMAIN = Model.domain = Voice(Model)

train = DOMAIN.train
"""Train on notes into a run folder; see `core.app.domain.Domain.train`."""
