"""A model of notes as its user meets it: train on prepared notes, load, sample, play.

train(Collection.open("data/notes"), "runs/notes", preset="small")
model = Model.load("runs/notes")           # or Model.load() for the weights that ship
sounds = model.notes_of([60, 64, 67], seed=3)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from core.app import fit
from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain, Examples, Tick
from core.app.evaluation import Evaluation
from core.app.latent import LatentPoints
from core.app.model import Model as CoreModel
from core.app.output import Output
from core.app.sampling import Rows, in_chunks, seeded
from core.config import Strict
from core.data.sources import RejectedFile, read_bytes
from core.errors import ConfigError, UserError
from core.files import write_whole
from core.recipes import Recipe
from core.theory.distributions import Distribution
from core.theory.passes import Batch, Networks
from core.theory.shapes import Samples
from core.training.loop import UNMONITORED, Monitor
from core.training.step import Batches
from musegen.playing.voice import LOUDEST, Pitches, Waveforms
from musegen.voice.data.collection import Collection, NoteBatch
from musegen.voice.data.names import name_of_pitch, named, pitch_in
from musegen.voice.data.recordings import SOUND, decode
from musegen.voice.data.records import PrepareConfig, normalised
from musegen.voice.fundamental import hear, is_right
from musegen.voice.networks.build import build
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.presets import PRESETS
from musegen.voice.recipes import RECIPES
from musegen.voice.spectrogram import Sounds, Spectrogram
from musegen.voice.terms import Auxiliary

MEASURED = 48
"""Held-out notes whose pitches are judged while training."""


class DataSpec(Strict):
    """The specification of notes. Networks are built for one.

    `lowest` and `highest`: pitches as MIDI numbers. `timbres`: the names of the instruments.
    """

    sample_rate_hz: int = Field(gt=0)
    samples: int = Field(gt=0)
    lowest: int = Field(ge=0, le=127)
    highest: int = Field(ge=0, le=127)
    timbres: tuple[str, ...] = ()

    @property
    def pitches(self) -> int:
        """Return how many pitches there are."""
        return self.highest - self.lowest + 1

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate_hz


class VoiceModel(ModelConfig):
    """A model of notes: its recipe, what differs from it, its networks' sizes."""

    known_recipes: ClassVar[Mapping[str, Recipe]] = RECIPES

    voice: VoiceConfig = VoiceConfig()

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe for networks that are all conditioned on the pitch.

        Another game in place of one whose critic names the pitch still has such a critic.
        """
        recipe = super().resolved_recipe.conditional()
        named = any(isinstance(term.by, Auxiliary) for term in self.base_recipe.critics)
        return recipe.with_games(lambda space, by: Auxiliary.of(by)) if named else recipe

    def spectrogram(self, spec: DataSpec) -> Spectrogram:
        """Return the map between notes and x."""
        voice = self.voice
        sizes = spec.sample_rate_hz, spec.samples
        return Spectrogram(*sizes, voice.window, voice.scale, voice.floor_db)


class VoiceRun(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    model: VoiceModel
    spec: DataSpec


class Voice(Domain):
    """Single notes: x is a spectrogram [batch quantity frame row], c a one-hot pitch."""

    name = "voice"
    item = "note"
    presets = PRESETS
    shipped = Path(__file__).parent / "weights"
    default_run = "fluid"
    default_latent_run = "fluid"
    default_model = "timbre_vae"
    offers = frozenset({"condition", "pitches"})
    recipes = RECIPES
    suffixes = SOUND
    config = VoiceRun
    axes = {"condition": "batch pitch", "x": "batch quantity frame row"}
    tags = ("audio-generation", "timbre")

    @property
    def model(self) -> "type[Model]":
        return Model

    def open(self, folder: Path) -> Collection:
        return Collection.open(folder)

    def spec_of(self, data: Collection) -> dict[str, Any]:
        names = ("sample_rate_hz", "samples", "lowest", "highest", "timbres")
        return DataSpec(**{name: getattr(data, name) for name in names}).model_dump(mode="json")

    def require_same_spec(self, data: Collection, other: Collection) -> None:
        if self.spec_of(data) != self.spec_of(other):
            raise UserError("the two collections hold notes of other lengths, rates or pitches")

    def networks(self, config: VoiceRun) -> Networks:
        model, spec = config.model, config.spec
        return build(
            model.voice, model.spectrogram(spec), spec.lowest, spec.pitches, model.resolved_recipe
        )

    def batches(
        self, data: Collection, config: VoiceRun, device: torch.device, other: Any = None
    ) -> Batches:
        """Pairs of notes of one take as x, and their pitches as c."""
        size, seed = config.train.batch_size, config.train.seed
        spectrogram = config.model.spectrogram(config.spec)

        def draw(number: int) -> Batch:
            batch = data.pairs(number, size, seed)
            x = spectrogram.analyse(torch.from_numpy(batch.sounds).to(device))
            return Batch(x, one_hot(batch.pitches, config.spec).to(device))

        return draw

    def examples(self, data: Collection, count: int, seed: int) -> Examples:
        return examples_of(data.batch(0, count, seed, data.splits[-1]))

    def read(self, model: "Model", path: Path) -> Examples:
        """Read the first note of a sound file; its pitch is that of its name, else what sounds."""
        config = model.form
        try:
            sound = normalised(decode(read_bytes(path, config.limits), config), config)
        except RejectedFile as error:
            raise UserError(f"{path}: {error.detail}") from error
        tone = None if sound is None else hear(sound, config.sample_rate_hz)
        pitch = named(path.name, {}).pitch or (tone and round(tone.pitch))
        if sound is None or not pitch:
            raise UserError(f"{path} has no pitch: name it as in C4.wav")
        return Examples(torch.from_numpy(sound[None]).float(), [name_of_pitch(pitch)])

    def condition(self, text: str, seed: int) -> tuple[Sequence[str], int]:
        """Read a text as a pitch, with the number of its timbre as C4:7; else the seed's."""
        pitch, colon, timbre = text.partition(":")
        if pitch_of_text(pitch) is None or (colon and not timbre.isdecimal()):
            raise UserError(
                f"'{text}' is neither a sound file nor a pitch such as C4 or 60, with the number "
                "of its timbre as C4:7"
            )
        return [pitch], int(timbre) if colon else seed

    def write(
        self,
        model: "Model",
        items: Sounds,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[Any] | None = None,
    ) -> Iterator[Path]:
        """Write each note as .wav; several also as one sound, each passing into the next, and as a
        picture."""
        from musegen.voice.files import encode_wav, joined

        rate, several = model.spec.sample_rate_hz, len(items) > 1
        for number, sound in enumerate(items.numpy()):
            stem = f"{name}-{number + 1:03d}" if several else name
            yield to.write(to.folder / f"{stem}.wav", encode_wav(sound, rate))
        if several:
            yield to.write(to.folder / f"{name}.wav", encode_wav(joined(items.numpy()), rate))
            show = partial(self.show, model, items, titles)
            yield to.draw(to.folder / f"{name}.png", show)

    def show(self, model: "Model", items: Sounds, titles: Sequence[str], path: Path) -> None:
        """Draw the spectrograms of notes side by side."""
        from musegen.voice.picture import draw_notes

        draw_notes(items.numpy(), titles, model.spec.sample_rate_hz, path)

    def preview(self, model: "Model", items: Sounds, titles: Sequence[str], stem: Path) -> None:
        """Draw notes, and write them one after another."""
        from musegen.voice.files import encode_wav

        super().preview(model, items, titles, stem)
        sound = encode_wav(items.numpy().ravel(), model.spec.sample_rate_hz)
        write_whole(stem.with_name(f"{stem.name}.wav"), sound)

    def measures(
        self, data: Collection, config: VoiceRun, other: Any = None
    ) -> "Callable[[CoreModel], dict[str, float]]":
        """Return the share of notes whose pitch is right, and the distance of their spectra."""
        examples = self.examples(data, MEASURED, config.train.seed + 1)
        wanted = [pitch_of_text(text) for text in examples.conditions or ()]

        def measure(model: CoreModel) -> dict[str, float]:
            if not isinstance(model, Model):
                return {}
            sounds = model.generate(examples, config.train.seed)
            right = pitch_accuracy(sounds, wanted, model.spec.sample_rate_hz)
            return {"pitch": right, "distance": 1 - right + model.spectral_error(examples)}

        return measure

    def data_of(self, subject: "Model") -> Collection:
        raise UserError("give the notes to measure against: --against DATA")

    def evaluate(
        self,
        models: "Sequence[Model]",
        data: Collection,
        count: int,
        seed: int,
        other: Any = None,
        tick: Tick = lambda done, total: None,
    ) -> Evaluation:
        """Measure whether notes have their pitches and timbres, beside real notes and noise.

        The first evaluation against a collection trains a classifier of it, which is kept.
        """
        from musegen.voice.measures import evaluation, scorecard

        report = evaluation.evaluate(models, data, count, seed, tick)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)


DOMAIN = Voice()


def one_hot(pitches: Int[np.ndarray, " note"] | Sequence[int], spec: DataSpec) -> Tensor:
    """Return pitches as one-hot vectors; `UserError` for one that the model does not know."""
    numbers = torch.as_tensor(np.asarray(pitches), dtype=torch.long)
    unknown = numbers[(numbers < spec.lowest) | (numbers > spec.highest)]
    if len(unknown):
        low, high = (f"{name_of_pitch(end)} ({end})" for end in (spec.lowest, spec.highest))
        raise UserError(f"the model knows pitches from {low} to {high}, not {unknown[0]}")
    return F.one_hot(numbers - spec.lowest, spec.pitches).float()


def pitch_of_text(text: str) -> int | None:
    """Return the pitch of a text such as C4 or 60; None for any other text."""
    if text.isdecimal():
        return int(text) if int(text) <= 127 else None
    return pitch_in(text)


def examples_of(batch: NoteBatch) -> Examples:
    """Return notes as examples, with their pitches' names as conditions."""
    names = [name_of_pitch(pitch) for pitch in batch.pitches.tolist()]
    return Examples(torch.from_numpy(batch.sounds), names)


def pitch_accuracy(sounds: Sounds, pitches: Sequence[int | None], rate: int) -> float:
    """Return the share of sounds at their pitch, to the exact judge."""
    tones = [hear(sound, rate) for sound in sounds.numpy()]
    right = [p is not None and is_right(tone, p) for tone, p in zip(tones, pitches, strict=True)]
    return float(np.mean(right))


class Model(CoreModel):
    """Trained networks with what they need to make notes."""

    domain = DOMAIN
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
        pitches = [
            self.spec.lowest + n % (self.spec.highest - self.spec.lowest + 1) for n in range(count)
        ]
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


def train(
    data: str | Path | Collection,
    to: str | Path,
    model: str | None = None,
    preset: str | None = None,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Any = None,
    monitor: Monitor = UNMONITORED,
    start: str | Path | None = None,
) -> Model:
    """Train on prepared notes into the run folder `to`; the same call resumes there.

    See `core.app.fit`.
    """
    return fit.train(
        DOMAIN, data, to, model, preset, device, assignments, other, monitor=monitor, start=start
    )
