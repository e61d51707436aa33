"""A music model as its user meets it: train on a collection, load, sample, get rolls.

train("data/songs", "runs/songs", preset="small")
model = Model.load("runs/songs")           # or Model.load() for the weights that ship
rolls = model.sample(count=8, bars=16, seed=1)
write_midi(rolls[0], "song.mid")
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from pydantic import model_validator

from core.app import fit
from core.app.configuration import CHANGEABLE, ModelConfig, RunConfig
from core.app.domain import Domain, Examples, Tick
from core.app.evaluation import Evaluation
from core.app.label import origin
from core.app.latent import LatentPoints, LatentSpace
from core.app.model import Model as CoreModel
from core.app.output import Output
from core.app.sampling import Rows, draw_chunks, in_chunks
from core.config import Strict
from core.data.collection import Split
from core.data.sources import RejectedFile
from core.errors import ConfigError, UserError
from core.recipes import Recipe
from core.theory.distributions import Distribution
from core.theory.passes import Batch, Networks
from core.theory.shapes import Latents, Samples
from core.training.loop import UNMONITORED, Monitor
from core.training.step import Batches
from musegen.bar_latents.autoencoder import BarLatentsConfig
from musegen.bar_latents.build import build_latent
from musegen.bar_latents.form import form_of
from musegen.bar_latents.inversion import Completion
from musegen.data.collection import Collection, spread
from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.note_sequences import NoteRows, from_rows, to_rows
from musegen.densities.note_transformer import DensityConfig, NoteDensity
from musegen.draft import Draft, blank, random_kept
from musegen.files.midi import read_midi, write_midi
from musegen.files.smf import MIDI
from musegen.networks.accompaniment import Accompaniment
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.musegan import Decoder, build
from musegen.networks.roll_flow import roll_flow
from musegen.networks.states import Given, States, to_cells, to_played, to_states, velocities_of
from musegen.networks.wirings import Wires
from musegen.presets import PRESETS
from musegen.recipes import RECIPES
from musegen.roll import (
    DEFAULT_VELOCITY,
    Grid,
    Notes,
    Phrases,
    Roll,
    cut_phrases,
    fill,
    joined,
    notes_of,
)
from musegen.steering import UNSTEERED, Steering
from musegen.tonality import in_key
from musegen.tracks import Track


@runtime_checkable
class Configured(Protocol):
    """A network with settings, of which some are for sampling."""

    config: Strict


DEFAULT_TEMPO_BPM = 120.0

OBEYED_BY = {"top_p": "lookback_rnn", "binarisation": "musegan"}
"""Models to use for settings that few have."""

MEASURED_BARS, REAL_BARS = 512, 4096
"""Bars that are sampled and measured while training, and those of real songs that judge them."""

GROWTH = 8
"""Growth of the chunks in which a density is sampled: their cost is mostly that of the steps."""

COPY = 0.9
"""A translation that keeps more of the notes than this share is nearly a copy."""


TEMPO_SHARES = np.arange(1, 20) / 20
"""The shares of the training songs that are slower than the tempi from which one is drawn."""


class DataSpec(Strict):
    """The specification of a phrase. Networks are built for one.

    `tempi_bpm`: tempi that are equally frequent among the training songs.
    """

    grid: Grid
    tracks: tuple[Track, ...]
    bars: int
    tempi_bpm: tuple[float, ...] = ()

    def tempo_bpm(self, seed: int, number: int) -> float:
        """Draw the tempo of song `number`, from 0; 120 where none were learned."""
        chance = np.random.default_rng([seed, number])
        return float(chance.choice(self.tempi_bpm or (DEFAULT_TEMPO_BPM,)))

    @property
    def usual_tempo_bpm(self) -> float:
        """Return the median tempo; 120 where none were learned."""
        return float(np.median(self.tempi_bpm or (DEFAULT_TEMPO_BPM,)))


class Source(NamedTuple):
    """The notes of a song from a phrase's first step on, before it negative, and the tempo of
    each bar of the phrase."""

    notes: Notes
    tempo_bpm: Float[np.ndarray, " bar"]


class MusicModel(ModelConfig):
    """A model of music: its recipe, what differs from it, its networks' sizes."""

    known_recipes = RECIPES

    musegan: MuseGANConfig = MuseGANConfig()
    density: DensityConfig = DensityConfig()
    lookback: LookbackConfig = LookbackConfig()
    bar_latents: BarLatentsConfig = BarLatentsConfig()

    @property
    def has_form(self) -> bool:
        """True for a model whose prior generates along a form."""
        return "form" in self.base_recipe.needs

    @property
    def is_density(self) -> bool:
        """True for a density of notes; other networks, and densities of maps, have cells as x."""
        recipe = self.base_recipe
        return "density" in recipe.networks and recipe.map_density is None

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the changed recipe, which compares tracks beside the given ones, if any."""
        resolved = super().resolved_recipe
        return resolved.beside_condition() if self.musegan.given else resolved

    @property
    def learns_to_listen(self) -> bool:
        """True for a density of notes that learns what kept notes say of the others."""
        return self.recipe == "lookback_rnn" and self.lookback.listens

    @model_validator(mode="after")
    def _can_accompany(self) -> "MusicModel":
        if self.musegan.given:
            critics = {term.critic_name for term in self.base_recipe.critics}
            if not critics or {*self.base_recipe.networks} - critics != {"decoder", "prior"}:
                raise ValueError(
                    f"{self.recipe} accompanies no given tracks: leave them out, or use musegan"
                )
            if self.stabilisers.augment:
                raise ValueError(
                    "model.stabilisers.augment moves tracks away from the given ones: leave it off"
                )
        return self


class MusicConfig(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    changeable = (*CHANGEABLE, "spec.tempi_bpm")

    model: MusicModel
    spec: DataSpec

    @property
    def parts(self) -> Accompaniment:
        """Return which tracks are given, and which are made."""
        return Accompaniment.of(self.model.musegan.given, self.spec.tracks)

    @model_validator(mode="after")
    def _given_tracks_are_there(self) -> "MusicConfig":
        _ = self.parts
        return self


class Music(Domain):
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
    suffixes = MIDI
    config = MusicConfig

    @property
    def model(self) -> "type[Model]":
        return Model

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

    def networks(self, config: MusicConfig) -> Networks:
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
        config: MusicConfig,
        device: torch.device,
        other: Collection | None = None,
    ) -> Batches:
        """Phrases of the training split, with those of another collection, if any.

        Where tracks are given, x has the other tracks and c the given ones; of a density that
        learns to listen c is what random drafts keep.
        """
        size, seed = config.train.batch_size, config.train.seed
        if config.model.learns_to_listen and not config.start:
            raise ConfigError(
                "model.lookback.listens trains gates beside weights that are there: "
                "add --from lookback_rnn, or a run of your own"
            )

        def states(source: Collection, number: int) -> States:
            return to_states(torch.from_numpy(source.batch(number, size, seed)).to(device))

        def draw(number: int) -> Batch:
            if config.model.is_density:
                x = to_rows(data.note_batch(number, size, seed)).to(device)
                if config.model.learns_to_listen:
                    kept = random_kept(size, len(data.tracks), data.bars, [seed, number])
                    return Batch(x, torch.from_numpy(kept).to(device))
                return Batch(x)
            if config.model.has_form:
                played = data.played(*data.chosen(number, size, seed))
                x = to_played(*(torch.from_numpy(part).to(device) for part in played))
                return Batch(x, form_of(x))
            x, c = config.parts.divide(states(data, number))
            return Batch(x, c, other=states(other, number) if other else None)

        return draw

    def examples(self, data: Collection, count: int, seed: int) -> Examples:
        return Examples(data.rolls(spread(data.indices(data.splits[-1]), count)))

    def read(self, model: "Model", path: Path) -> Examples:
        """Read a song's phrases; the last one is filled up with silence.

        Their sources are the song's notes and tempi.
        """
        spec = model.spec
        try:
            song = read_midi(path, spec.tracks, spec.grid)
        except RejectedFile as error:
            raise UserError(f"{path}: {error.detail}") from error
        bars = song.bars + -song.bars % spec.bars
        cells = fill(song.notes, len(spec.tracks), bars, spec.grid)
        tempo = np.pad(song.tempo_bpm, (0, bars - song.bars), "edge")
        sources = [
            Source(song.notes.moved(-bar * spec.grid.steps_per_bar), tempo[bar : bar + spec.bars])
            for bar in range(0, bars, spec.bars)
        ]
        return Examples(cut_phrases(cells[None], spec.bars), sources=sources)

    def condition(self, text: str, seed: int) -> tuple[None, int]:
        """Read a text as the number of a seed."""
        if not text.isdecimal():
            raise UserError(f"'{text}' is neither a MIDI file nor a seed's number")
        return None, int(text)

    def write(
        self,
        model: "Model",
        items: Phrases,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[Source | None] | None = None,
    ) -> Iterator[Path]:
        """Write phrases as one song.

        A phrase has the tempi of its source, and its notes are as loud as there; without one, the
        usual tempo of the training songs, and velocity 100.
        """
        from musegen.files.song import SongOutput, write_song

        rolls = model.rolls(items)
        for number, source in enumerate(sources or ()):
            if source:
                played = rolls[number].played_like(source.notes)
                rolls[number] = replace(played, tempo_bpm=source.tempo_bpm)
        song = replace(joined(rolls), name=name, origin=origin(name, *dict.fromkeys(titles)))
        output = to if isinstance(to, SongOutput) else SongOutput(to.folder)
        yield from write_song(song, output)

    def show(self, model: "Model", items: Phrases, titles: Sequence[str], path: Path) -> None:
        from musegen.files.picture import draw_phrases

        pairs = zip(model.rolls(items), titles, strict=True)
        draw_phrases([replace(roll, name=title) for roll, title in pairs], path)

    def preview(self, model: "Model", items: Phrases, titles: Sequence[str], stem: Path) -> None:
        """Draw phrases, and write the first as MIDI."""
        super().preview(model, items, titles, stem)
        write_midi(model.rolls(items)[0], stem.with_name(f"{stem.name}.mid"))

    def measures(
        self, data: Collection, config: MusicConfig, other: Collection | None = None
    ) -> "Callable[[CoreModel], dict[str, float]]":
        """Return the total by which held-out songs judge a model's songs, and its parts.

        Without held-out songs the training songs judge. A translation that is nearly a copy is
        not measured: it is near before it has learned.
        """
        from musegen.measures.hearing import Hearing, cut_notes, cut_songs, lengths_of
        from musegen.measures.resemblance import onset_f1
        from musegen.measures.yardstick import Yardstick

        longest = lengths_of(data)[0]
        splits: list[Split] = [one for one in data.splits if len(data.beginnings(longest, one))]
        split = splits[-1]
        hearing = Hearing.of(cut_songs(data, [split], [longest]))
        real = data.rolls(spread(data.indices(split), max(1, REAL_BARS // data.bars)))
        yardstick = Yardstick.of(real, data.grid, data.tracks)
        source = data if other is None else other
        count = max(1, MEASURED_BARS // data.bars)
        examples = Examples(source.rolls(spread(source.indices("train"), count)))

        def measure(model: CoreModel) -> dict[str, float]:
            assert isinstance(model, Model)
            bars = max(longest, data.bars) if model.draws else data.bars
            songs = model.songs(examples, bars, config.train.seed)
            cells = model.cells_of(songs, bars)
            if model.translates and onset_f1(examples.items, cells) > COPY:
                return {}
            phrases = yardstick.distance(cut_phrases(cells, data.bars))
            judged = hearing.judge(cut_notes(songs, bars, data, [longest]), phrases)
            return {"distance": judged.total, "phrases": phrases, "time": judged.time}

        return measure

    def subject(self, name: str | None, device: str = "auto") -> "Model | Path":
        """Open a run's model, or a folder of MIDI files."""
        folder = Path(name or "")
        if name and folder.is_dir() and not (folder / "config.yaml").exists():
            return folder
        return Model.load(name, device)

    def evaluate(
        self,
        models: "Sequence[Model | Path]",
        data: Collection,
        count: int,
        seed: int,
        other: Collection | None = None,
        tick: Tick = lambda done, total: None,
    ) -> Evaluation:
        """Measure models, and folders of MIDI files, beside real songs and baselines."""
        from musegen.measures import evaluation, scorecard

        samples = [evaluation.generate(one, data, count, seed, other) for one in models]
        report = evaluation.evaluate(samples[0], data, samples[1:], other, seed)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)


DOMAIN = Music()


class Model(CoreModel):
    """Trained networks with what they need to write rolls."""

    domain = DOMAIN
    config: MusicModel
    spec: DataSpec

    @property
    def parts(self) -> Accompaniment:
        """Return which tracks are given to it, and which it makes."""
        return Accompaniment.of(self.config.musegan.given, self.spec.tracks)

    @property
    def draws(self) -> bool:
        """True for a model that samples from noise alone, without given tracks."""
        return super().draws and not self.parts.given

    @property
    def space(self) -> LatentSpace:
        """Return its latent space; `UserError` where it has none, or accompanies given tracks."""
        self._require_nothing_given()
        return super().space

    def _require_nothing_given(self) -> None:
        if self.parts.given:
            raise UserError(
                f"{self.name} accompanies {self._given_names}: give it a song, as "
                f"pianoreel music sample RUN --given song.mid --keep {self._given_names}"
            )

    @property
    def _given_names(self) -> str:
        return ",".join(self.spec.tracks[number].name.lower() for number in self.parts.given)

    def to_x(self, items: Phrases) -> States | NoteRows:
        if self.config.is_density:
            return to_rows([notes_of(cells) for cells in items]).to(self.device)
        cells = torch.from_numpy(items).to(self.device)
        if self.config.has_form:
            return to_played(cells, torch.full_like(cells, DEFAULT_VELOCITY))
        return to_states(cells)

    def from_x(self, x: States | NoteRows) -> Phrases:
        if self.config.is_density:
            return self.cells_of(from_rows(x), self.spec.bars)
        return to_cells(x).cpu().numpy()

    def cells_of(self, songs: Sequence[Notes], bars: int) -> Phrases:
        """Convert songs of `bars` bars to cells."""
        size = (len(self.spec.tracks), bars, self.spec.grid)
        return np.stack([fill(notes, *size) for notes in songs])

    def join(self, parts: Sequence[np.ndarray]) -> Phrases:
        return np.concatenate(parts)

    def output(self, distribution: Distribution) -> Samples:
        """Sample notes: a mean of binary cells is not playable."""
        return distribution.rsample()

    @torch.no_grad()
    def noise(self, point: LatentPoints, count: int, seed: int) -> Latents:
        """Draw samples of the prior; along the form of the point where the prior has forms."""
        if not self.config.has_form:
            return super().noise(point, count, seed)
        form = form_of(self.space.decode(point[:1]).representative)

        def draw(rows: Rows) -> Latents:
            along = form.expand(len(rows), -1, -1, -1)  # [row 2 bar track]
            return self.networks["prior"](len(rows), along).rsample()

        return in_chunks(count, seed, self.device, draw)

    def sampled_like(self, examples: Examples, seed: int) -> Phrases:
        return self.cells(len(examples), seed)

    def generate(self, examples: Examples, seed: int = 0) -> Phrases:
        """Generate phrases; those of a model that accompanies keep the examples' given tracks."""
        if self.parts.given:
            return self.accompanied(examples.items, seed)
        return super().generate(examples, seed)

    @torch.no_grad()
    def accompanied(self, cells: Phrases, seed: int = 0) -> Phrases:
        """Make the tracks that are not given, beside the given ones of pieces of any length."""
        parts, bars = self.parts, cells.shape[2]
        phrases = -(-bars // self.spec.bars)
        filled = [(0, 0)] * 2 + [(0, phrases * self.spec.bars - bars)] + [(0, 0)] * 2
        states = to_states(torch.from_numpy(np.pad(cells, filled)).to(self.device))
        given = parts.divide(states)[1]
        assert given is not None

        def draw(rows: Rows) -> States:
            return self._phrases(len(rows), phrases, given[rows])

        new = to_cells(in_chunks(len(cells), seed, self.device, draw)).cpu().numpy()
        result = cells.copy()
        result[:, list(parts.others)] = new[:, :, :bars]
        return result

    def accompany(self, rolls: Sequence[Roll], seed: int = 0) -> list[Roll]:
        """Make the tracks that are not given, beside the given ones of rolls of any length.

        The given tracks stay note for note; a new note is as loud as its neighbours were, see
        `Roll.played_like`. Song n depends on the seed and on n alone. `ConfigError` for a model
        that accompanies no track, and for rolls of other tracks or another grid.
        """
        self._require_accompanist()
        if any((roll.grid, roll.tracks) != (self.spec.grid, self.spec.tracks) for roll in rolls):
            raise ConfigError(f"the songs have other tracks or another grid than {self.name}")
        most = max(roll.bars for roll in rolls)
        filled = [
            np.pad(roll.cells, [(0, 0), (0, most - roll.bars), (0, 0), (0, 0)]) for roll in rolls
        ]
        pairs = zip(rolls, self.accompanied(np.stack(filled), seed), strict=True)
        return [
            replace(roll, cells=cells[:, : roll.bars], velocity=None).played_like(roll.notes())
            for roll, cells in pairs
        ]

    def _accompanied(self, draft: Draft, count: int, seed: int, steering: Steering) -> list[Notes]:
        """Complete a draft whose kept tracks are those that the model accompanies."""
        whole = np.flatnonzero(draft.kept.all(1)).tolist()
        if whole != list(self.parts.given) or draft.kept.sum() != len(whole) * draft.bars:
            raise ConfigError(
                f"{self.name} accompanies {self._given_names} over whole songs: --keep "
                f"{self._given_names} alone, or use lookback_rnn, which completes any part"
            )
        cells = fill(draft.kept_notes, len(draft.tracks), draft.bars, draft.grid)
        with self._steered(steering):
            songs = self.accompanied(np.repeat(cells[None], count, 0), seed)
        return [draft.merged(notes_of(song)) for song in songs]

    def _require_accompanist(self) -> None:
        if not self.parts.given:
            raise ConfigError(
                f"{self.name} makes all tracks and accompanies none: train one that does, as "
                "pianoreel music train DATA --model musegan --given piano"
            )

    def songs(self, examples: Examples, bars: int, seed: int) -> list[Notes]:
        """Sample about as many bars as the examples have, as songs; without a prior, generate."""
        if not self.draws:
            return [notes_of(cells) for cells in self.generate(examples, seed)]
        return self.notes(-(-len(examples) * self.spec.bars // bars), seed, bars)

    @torch.no_grad()
    def cells(self, count: int = 1, seed: int = 0, bars: int | None = None) -> Phrases:
        """Sample pieces of any number of bars; each depends on the seed and its number alone."""
        length = self._length(bars)
        self._require_nothing_given()
        if self.config.is_density:
            return self.cells_of(self.notes(count, seed, length), length)

        if self.config.has_form:
            return self.cells_of(self.notes(count, seed, length), length)

        def draw(rows: Rows) -> States:
            if "density" in self.networks:
                return self.networks["density"](len(rows)).sample(length)
            return self._phrases(len(rows), -(-length // self.spec.bars))[:, :, :, :length]

        return self.from_x(in_chunks(count, seed, self.device, draw))

    @torch.no_grad()
    def notes(
        self,
        count: int = 1,
        seed: int = 0,
        bars: int | None = None,
        steering: Steering = UNSTEERED,
    ) -> list[Notes]:
        """Sample pieces as notes, with velocities where they are learned, as `cells` does.

        `ConfigError` for a setting that the model does not obey.
        """
        length = self._length(bars)
        self._require(steering)
        if self.config.has_form and steering.used & {"key", "density"}:
            draft = blank(self.spec.tracks, self.spec.grid, length)
            return self.complete(draft, count, seed, steering)
        if steering.key:
            songs = self.notes(count, seed, bars, steering.replace(key=None))
            return [
                self._in_key(song, steering, (seed, number)) for number, song in enumerate(songs)
            ]
        with self._steered(steering):
            if self.config.has_form:
                x = in_chunks(count, seed, self.device, self._along(length, steering.form))
                return self._played(x)
            if not self.config.is_density:
                return [notes_of(cells) for cells in self.cells(count, seed, length)]
            density = self.networks["density"]

            def draw(rows: Rows) -> list[Notes]:
                steered = (steering,) if isinstance(density, LookbackDensity) else ()
                return from_rows(density(len(rows)).sample(length, *steered))

            return self._drawn(count, seed, draw)

    def _in_key(self, song: Notes, steering: Steering, part: tuple[int, int]) -> Notes:
        assert steering.key
        chance = np.random.default_rng(part)
        spec = self.spec
        return in_key(song, spec.tracks, spec.grid, steering.key, steering.scale_strength, chance)

    def _along(self, bars: int, sections: str) -> Callable[[Rows], States]:
        """Return the sampling of pieces along a form."""

        def draw(rows: Rows) -> States:
            z = self.networks["prior"](len(rows)).sample(bars, sections)
            return self.networks["decoder"](z).rsample()

        return draw

    @torch.no_grad()
    def complete(
        self, draft: Draft, count: int = 1, seed: int = 0, steering: Steering = UNSTEERED
    ) -> list[Notes]:
        """Compose what a draft leaves open, `count` times; return the whole songs' notes.

        `ConfigError` for a model that cannot, and for a setting that it does not obey.
        """
        self._require(steering)
        if self.config.has_form:
            composer = Completion(self.networks, draft, steering)
            x = in_chunks(count, seed, self.device, lambda rows: composer.sample(len(rows)))
            return [draft.merged(notes) for notes in self._played(x)]
        if self.parts.given:
            return self._accompanied(draft, count, seed, steering)
        self.require_completion()
        density = self.networks["density"]
        if steering.form:
            raise ConfigError("a form is for songs composed from nothing: leave it out")
        kept = torch.from_numpy(draft.kept).to(self.device)
        given = to_rows([draft.kept_notes]).to(self.device)

        def draw(rows: Rows) -> list[Notes]:
            many = given.expand(len(rows), -1, -1), kept.expand(len(rows), -1, -1)
            return from_rows(density(len(rows)).complete(*many, steering))

        return [draft.merged(notes) for notes in self._drawn(count, seed, draw)]

    def require_completion(self) -> None:
        """Raise `ConfigError` for a model that cannot complete any part of a song."""
        density = dict(self.networks.items()).get("density")
        if not (self.config.has_form or isinstance(density, LookbackDensity)):
            raise ConfigError(
                f"{self.config.recipe} completes no songs: use lookback_rnn or latent_musegan"
            )

    def _played(self, x: States) -> list[Notes]:
        """Convert x with velocities to notes."""
        return [notes_of(*one) for one in zip(self.from_x(x), velocities_of(x), strict=True)]

    def _drawn(self, count: int, seed: int, draw: Callable[[Rows], list[Notes]]) -> list[Notes]:
        """Draw pieces in chunks, so that each depends on the seed and its number alone."""
        return list(chain(*draw_chunks(count, seed, self.device, draw, GROWTH)))[:count]

    @property
    def obeys(self) -> frozenset[str]:
        """Return the settings of `Steering` that the model obeys."""
        if self.config.recipe == "lookback_rnn":
            return frozenset(Steering.model_fields) - {"binarisation"}
        if self.config.has_form:
            return frozenset(Steering.model_fields) - {"binarisation", "top_p"}
        tempered = {"temperature"} if self._tempered_networks else set()
        return frozenset(tempered | ({"binarisation"} if self._binary_decoder else set()))

    def _require(self, steering: Steering) -> None:
        for name in sorted(steering.used - self.obeys):
            others = OBEYED_BY.get(name, "lookback_rnn or latent_musegan")
            raise ConfigError(
                f"{self.config.recipe} has no {name} to sample with: leave it out, or use {others}"
            )

    @property
    def _tempered_networks(self) -> list[Configured]:
        """Return the networks that are sampled at a temperature."""
        sampled = [self.networks[name] for name in ("density", "prior") if name in self.networks]
        networks = [one for one in sampled if isinstance(one, Configured)]
        return [one for one in networks if "temperature" in type(one.config).model_fields]

    @property
    def _binary_decoder(self) -> Decoder | None:
        """Return the decoder with binary neurons, if there is one."""
        decoder = dict(self.networks.items()).get("decoder")
        return decoder if isinstance(decoder, Decoder) else None

    @contextmanager
    def _steered(self, steering: Steering) -> Iterator[None]:
        """Sample at a temperature and with binary neurons as steered, within."""
        own = [(network, network.config) for network in self._tempered_networks]
        decoder, usual = self._binary_decoder, None
        for network, config in own:
            if steering.temperature is not None:
                changed = config.model_copy(update={"temperature": steering.temperature})
                network.config = changed
        if decoder and steering.binarisation:
            usual, decoder.sampled_as = decoder.sampled_as, steering.binarisation
        try:
            yield
        finally:
            for network, config in own:
                network.config = config
            if decoder and steering.binarisation:
                decoder.sampled_as = usual

    def _length(self, bars: int | None) -> int:
        if bars is not None and bars < 1:
            raise ConfigError(f"bars must be at least 1, not {bars}")
        return bars or self.spec.bars

    def _phrases(self, count: int, phrases: int, c: Given | None = None) -> States:
        """Sample consecutive phrases: the shared parts of z stay, the others are sampled anew.

        c: the given tracks of all bars of these phrases.
        """
        decoder, z = self.networks["decoder"], self.prior(count).rsample()
        parts = [None] * phrases if c is None else c.split(self.spec.bars, 3)
        sampled = [decoder(z, parts[0]).rsample()]
        for part in parts[1:]:
            wires = decoder.get_submodule("wires")
            assert isinstance(wires, Wires)
            z = wires.next_phrase(z, self.prior(count).rsample())
            sampled.append(decoder(z, part).rsample())
        return torch.cat(sampled, dim=3)

    def rolls(self, cells: Phrases) -> list[Roll]:
        """Cells as rolls of the usual tempo, named after the model and numbered."""
        tempo = np.full(cells.shape[2], self.spec.usual_tempo_bpm)
        return [
            Roll(one, self.spec.tracks, self.spec.grid, tempo, f"{self.name} {number + 1}")
            for number, one in enumerate(cells)
        ]

    def sample(
        self,
        count: int = 1,
        bars: int | None = None,
        seed: int = 0,
        tempo_bpm: float | None = None,
        steering: Steering = UNSTEERED,
    ) -> list[Roll]:
        """Sample `count` pieces of `bars` bars (by default the bars of a phrase).

        `tempo_bpm`: None draws one for each piece from those of the training songs. `ConfigError`
        unless count and bars are at least 1 and the tempo is above 0, and for a setting that the
        model does not obey.
        """
        from musegen.composition.composition import Composition
        from musegen.composition.request import Request

        if tempo_bpm is not None and not tempo_bpm > 0:
            raise ConfigError(f"tempo_bpm must be above 0, not {tempo_bpm}")
        request = Request(bars=self._length(bars))
        return Composition(self, request, steering, tempo_bpm).songs(count, seed)


def train(
    data: str | Path | Collection,
    to: str | Path,
    model: str | None = None,
    preset: str | None = None,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Collection | None = None,
    monitor: Monitor = UNMONITORED,
    start: str | Path | None = None,
) -> Model:
    """Train on prepared data into the run folder `to`; the same call resumes there.

    `other`: the second collection of a model that translates. `start`: a run whose weights the
    new one begins with. See `core.app.fit`.
    """
    data = data if isinstance(data, Collection) else Collection.open(data)
    return fit.train(
        DOMAIN, data, to, model, preset, device, assignments, other, monitor=monitor, start=start
    )
