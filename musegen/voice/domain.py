"""The domain of voices: what notes hand over to the commands that all domains share."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.app.domain import Domain, Examples
from core.app.evaluation import Evaluation
from core.app.output import Output
from core.data.preparation import Tasks, unshown
from core.data.sources import RejectedFile, read_bytes
from core.errors import UserError
from core.files import write_whole
from core.theory.passes import Networks
from core.training.step import Batches
from musegen.voice.batches import NoteBatches
from musegen.voice.conditions import examples_of
from musegen.voice.configuration import DataSpec, VoiceRun
from musegen.voice.data.collection import Collection
from musegen.voice.data.names import name_of_pitch, named, pitch_of_text
from musegen.voice.data.recordings import SOUND, decode
from musegen.voice.data.records import normalised
from musegen.voice.fundamental import hear, is_right
from musegen.voice.networks.build import build
from musegen.voice.presets import PRESETS
from musegen.voice.recipes import RECIPES
from musegen.voice.spectrogram import Sounds

if TYPE_CHECKING:
    from musegen.voice.model import Model

MEASURED = 48
"""Held-out notes whose pitches are judged while training."""


class Voice(Domain[Collection, VoiceRun, Sounds, "Model"]):
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
        self,
        data: Collection,
        config: VoiceRun,
        device: torch.device,
        other: Collection | None = None,
    ) -> Batches:
        """Pairs of notes of one take as x, and their pitches as c."""
        return NoteBatches(data, config, device)

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
        """Write each note as .wav; several also as one sound, each passing into the next."""
        from musegen.voice.files import encode_wav, joined

        rate, several = model.spec.sample_rate_hz, len(items) > 1
        for number, sound in enumerate(items.numpy()):
            stem = f"{name}-{number + 1:03d}" if several else name
            yield to.write(to.folder / f"{stem}.wav", encode_wav(sound, rate))
        if several:
            yield to.write(to.folder / f"{name}.wav", encode_wav(joined(items.numpy()), rate))

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
        self, data: Collection, config: VoiceRun, other: Collection | None = None
    ) -> "Callable[[Model], dict[str, float]]":
        """Return the share of notes whose pitch is right, and the distance of their spectra."""
        examples = self.examples(data, MEASURED, config.train.seed + 1)
        wanted = [pitch_of_text(text) for text in examples.conditions or ()]

        def measure(model: "Model") -> dict[str, float]:
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
        other: Collection | None = None,
        tasks: Tasks = unshown,
    ) -> Evaluation:
        """Measure whether notes have their pitches and timbres, beside real notes and noise.

        The first evaluation against a collection trains a classifier of it, which is kept.
        """
        from musegen.voice.measures import evaluation, scorecard

        report = evaluation.evaluate(models, data, count, seed, tasks)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)


def pitch_accuracy(sounds: Sounds, pitches: Sequence[int | None], rate: int) -> float:
    """Return the share of sounds at their pitch, to the exact judge."""
    tones = [hear(sound, rate) for sound in sounds.numpy()]
    right = [p is not None and is_right(tone, p) for tone, p in zip(tones, pitches, strict=True)]
    return float(np.mean(right))
