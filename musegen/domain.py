"""The domain of music: what songs hand over to the commands that all domains share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.app.domain import Domain, Examples, Tick
from core.app.evaluation import Evaluation
from core.app.label import origin
from core.app.output import Output
from core.data.preparation import Tasks, unshown
from core.errors import ConfigError, UserError
from core.theory.passes import Networks
from core.training.run import Run
from core.training.step import Batches
from musegen.bar_latents.build import build_latent
from musegen.batches import PhraseBatches
from musegen.composition.phrase_source import PhraseSource, tracks_of
from musegen.configuration import DataSpec, MusicRun
from musegen.data.collection import Collection, spread
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.note_transformer import NoteDensity
from musegen.drafts.source import LOG, read_song
from musegen.files.midi import write_midi
from musegen.graphs.bars import X_AXES
from musegen.networks.musegan import build
from musegen.networks.roll_flow import roll_flow
from musegen.presets import PRESETS
from musegen.reading.metres import Meter
from musegen.recipes import RECIPES
from musegen.roll import (
    Phrases,
    PlayedPhrases,
    cut_phrases,
    fill,
    fill_velocities,
    joined,
)
from musegen.smf.chunks import SONG_FILES

if TYPE_CHECKING:
    from musegen.model import Model

TEMPO_SHARES = np.arange(1, 20) / 20
"""The shares of the training songs that are slower than the tempi from which one is drawn."""

Items = Phrases | PlayedPhrases
"""Phrases as a model takes and returns them: with velocities where it has learned these."""


class Music(Domain[Collection, MusicRun, Items, "Model"]):
    """Phrases of several tracks: x is cells [batch track state bar step pitch].

    Of a density x is notes, [batch note attribute].
    """

    name = "music"
    item = "song"
    presets = PRESETS
    shipped = Path(__file__).parent / "weights"
    default_run = "lookback_rnn"
    default_latent_run = "latent_musegan"
    default_model = "lookback_rnn"
    offers = frozenset({"density", "maps", "statistics", "other", "form"})
    recipes = RECIPES
    aliases = {"note_transformer": "autoregressive", "notes": "autoregressive"}
    suffixes = SONG_FILES
    measures_folders = True
    config = MusicRun
    axes = {"condition": X_AXES, "x": X_AXES}
    tags = ("music-generation", "symbolic-music", "midi")

    def open(self, folder: Path) -> Collection:
        return Collection.open(folder)

    def spec_of(self, data: Collection) -> dict[str, Any]:
        found = data.tempi_bpm("train") if "train" in data.splits else np.zeros(0)
        tempi = np.quantile(found, TEMPO_SHARES, method="inverted_cdf") if len(found) else found
        rounded = tuple(np.rint(tempi).tolist())
        spec = DataSpec(grid=data.grid, tracks=data.tracks, bars=data.bars, tempi_bpm=rounded)
        return spec.model_dump(mode="json")

    def require_same_spec(self, data: Collection, other: Collection) -> None:
        data.require_form_of(other)

    def networks(self, config: MusicRun) -> Networks:
        model, spec, recipe = config.model, config.spec, config.model.resolved_recipe
        form = spec.grid, spec.tracks, spec.bars
        if recipe.map_density:
            return Networks({"density": roll_flow(model.musegan, *form, recipe.map_density)})
        if model.recipe == "lookback_rnn":
            return Networks({"density": LookbackDensity(model.lookback, *form)})
        if model.is_density:
            return Networks({"density": NoteDensity(model.density, *form)})
        if model.has_form:
            return build_latent(model.bar_latents, *form)
        return build(model.musegan, *form, recipe)

    def batches(
        self,
        data: Collection,
        config: MusicRun,
        device: torch.device,
        other: Collection | None = None,
    ) -> Batches:
        """Phrases of the training split, with those of another collection, if any.

        Where tracks are given, x has the other tracks and c the given ones; of a density that
        learns to listen c is what random drafts keep. Those of a density of notes are on the
        processor: the density counts its notes there, and copies them to the device. So is the
        plan of phrases, which is c where a model has forms.
        """
        if config.model.learns_to_listen and not config.start:
            raise ConfigError(
                "model.lookback.listens trains gates beside weights that are there: "
                "add --from lookback_rnn, or a run of your own"
            )
        return PhraseBatches(data, config, device, other)

    def examples(self, data: Collection, count: int, seed: int) -> Examples:
        return Examples(data.rolls(spread(data.indices(data.splits[-1]), count)))

    def read(
        self, model: "Model", path: Path, pickup_beats: float = 0.0, meter: Meter = "kept"
    ) -> Examples:
        """Read a song's phrases; the last one is filled up with silence.

        Their sources are the song's notes, tempi and programs. `pickup_beats`, `meter`: see
        `read_midi`.
        """
        spec = model.spec
        song = read_song(path, spec.tracks, spec.grid, pickup_beats, meter)
        bars = song.bars + -song.bars % spec.bars
        size = len(spec.tracks), bars, spec.grid
        cells, velocity = (make(song.notes, *size)[None] for make in (fill, fill_velocities))
        sources = [PhraseSource.of(song, bar, spec.bars) for bar in range(0, bars, spec.bars)]
        phrases = cut_phrases(cells, spec.bars)
        if model.config.has_form:
            phrases = PlayedPhrases(phrases, cut_phrases(velocity, spec.bars))
        return Examples(phrases, sources=sources)

    def condition(self, text: str, seed: int) -> tuple[None, int]:
        """Read a text as the number of a seed."""
        if not text.isdecimal():
            raise UserError(f"'{text}' is neither a MIDI file nor a seed's number")
        return None, int(text)

    def write(
        self,
        model: "Model",
        items: Items,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[PhraseSource | None] | None = None,
    ) -> Iterator[Path]:
        """Write phrases as one song, with the programs of their sources.

        A phrase has the tempi and the bars of its source; without one, the usual tempo of the
        training songs. Its notes are as loud as the model plays them; where it learned no
        velocities, as loud as in the source, or 100.
        """
        from musegen.files.song import SongOutput, write_song

        rolls = model.rolls(items)
        for number, source in enumerate(sources or ()):
            if source:
                rolls[number] = source.finished(rolls[number], isinstance(items, PlayedPhrases))
        about = origin(name, *dict.fromkeys(titles))
        tracks = tracks_of(sources or ()) or model.spec.tracks
        song = replace(joined(rolls), tracks=tracks, name=name, origin=about)
        is_own = isinstance(to, SongOutput)
        output = to if is_own else SongOutput(to.folder, overwrite=to.overwrite)
        yield from write_song(song, output)

    def common_source(self, sources: Sequence[PhraseSource | None]) -> PhraseSource | None:
        return PhraseSource.common(sources)

    def show(self, model: "Model", items: Items, titles: Sequence[str], path: Path) -> None:
        from musegen.files.picture import draw_phrases

        pairs = zip(model.rolls(items), titles, strict=True)
        draw_phrases([replace(roll, name=title) for roll, title in pairs], path)

    def preview(self, model: "Model", items: Items, titles: Sequence[str], stem: Path) -> None:
        """Draw phrases, and write the first as MIDI."""
        super().preview(model, items, titles, stem)
        write_midi(model.rolls(items)[0], stem.with_name(f"{stem.name}.mid"))

    def sound(self, model: "Model", items: Items) -> bytes:
        """Play the first phrase."""
        from musegen.files.audio import encode
        from musegen.files.sound import sound

        return encode(sound(model.rolls(items)[0]), "wav")

    def measures(
        self, data: Collection, config: MusicRun, other: Collection | None = None
    ) -> "Callable[[Model], dict[str, float]]":
        """Return the total by which held-out songs judge a model's songs; of a density nats, too.

        See `progress` and `nats_of` of `musegen.measures.hearing`.
        """
        from musegen.measures.hearing import nats_of, progress

        measures = [progress(data, data if other is None else other, config.train.seed)]
        if config.model.is_density:
            measures.append(nats_of(data))
        return lambda model: {
            name: value for one in measures for name, value in one(model).items()
        }

    def finish(
        self,
        model: "Model",
        data: Collection,
        to: Path,
        tick: Tick = lambda done, total: None,
    ) -> "Model":
        """Fit the judge of the run's best weights, where songs are drawn from several samples."""
        from musegen.composition.judge import (
            FEWEST_REAL,
            JUDGED_SONGS,
            Judge,
            fit_judge,
            real_songs,
        )

        if model.config.tries == 1 or not model.draws:
            return model
        real, judge = real_songs(data), Judge.read(to)
        step = int(Run.read(to).best_or_latest().fact("step"))
        if len(real) >= FEWEST_REAL and (not judge or judge.step != step):
            LOG.info("composing %s songs, to tell them from real ones", JUDGED_SONGS)
            best = self.model.load(to, str(model.device))
            judge = fit_judge(best, real, tick).model_copy(update={"step": step})
            judge.write(to)
        model.judge = judge
        return model

    def evaluate(
        self,
        models: "Sequence[Model | Path]",
        data: Collection,
        count: int,
        seed: int,
        other: Collection | None = None,
        tasks: Tasks = unshown,
    ) -> Evaluation:
        """Measure models, and folders of MIDI files, beside real songs and baselines."""
        from musegen.measures import evaluation, scorecard

        samples, tick = [], tasks("models whose songs are composed")
        for number, one in enumerate(models, 1):
            samples.append(evaluation.generate(one, data, count, seed, other))
            tick(number, len(models))
        report = evaluation.evaluate(samples[0], data, samples[1:], other, seed)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)
