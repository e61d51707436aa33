"""A music model as its user meets it: train on a collection, load, sample, get rolls.

train("data/songs", "runs/songs", preset="small")
model = Model.load("runs/songs")           # or Model.load() for the weights that ship
rolls = model.sample(count=8, bars=16, seed=1)
write_midi(rolls[0], "song.mid")
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from core.app.domain import Examples, Tick
from core.app.latent import LatentPoints, LatentSpace
from core.app.model import Model as CoreModel
from core.app.sampling import Rows, in_chunks
from core.config import whole
from core.errors import ConfigError, UserError
from core.exchange.graph import Graph
from core.theory.distributions import Distribution
from core.theory.shapes import Latents, Samples
from musegen.bar_latents.autoencoder import BarDecoder
from musegen.bar_latents.form import form_of
from musegen.bar_latents.prior import LatentPrior
from musegen.composition.form_sampler import FormSampler
from musegen.composition.note_sampler import LookbackSampler, NoteSampler
from musegen.composition.phrase_sampler import Accompanist, PhraseSampler
from musegen.composition.sampler import SongSampler
from musegen.configuration import DataSpec, MusicModel
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.note_sequences import NoteRows, from_rows, to_rows
from musegen.domain import Items, Music
from musegen.drafts.draft import Draft
from musegen.files.limits import MOST_BARS
from musegen.graphs.bars import bars_graph
from musegen.graphs.note_step import note_graph
from musegen.networks.accompaniment import Accompaniment
from musegen.networks.states import Given, States, to_cells, to_played, to_states, velocities_of
from musegen.roll import (
    DEFAULT_VELOCITY,
    ONSET,
    Notes,
    Phrases,
    PlayedPhrases,
    Roll,
    fill,
    notes_of,
)
from musegen.steering import UNSTEERED, Steering

if TYPE_CHECKING:
    from musegen.composition.judge import Judge

GIVEN_DENSITY = 0.02
"""The share of cells with a note in tracks that are examples of given ones."""


class Model(CoreModel[Any]):
    """Trained networks with what they need to write rolls.

    Its items are phrases, with velocities where it has learned these: see `musegen.domain.Items`.
    """

    domain: ClassVar[Music]
    config: MusicModel
    spec: DataSpec
    judge: "Judge | None" = None
    """By its odds songs are drawn from several samples; that of its run, if there is one."""

    @classmethod
    def load(cls, run: str | Path | None = None, device: str = "auto") -> "Model":
        model = super().load(run, device)
        return model.judged_by(cls.domain.folder(run))

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str = "auto") -> "Model":
        return super().from_pretrained(folder, device).judged_by(Path(folder))

    def save_pretrained(self, folder: str | Path) -> Path:
        written = super().save_pretrained(folder)
        if self.judge:
            self.judge.write(written)
        return written

    def judged_by(self, folder: Path) -> "Model":
        """Take the judge that a folder keeps, if any."""
        from musegen.composition.judge import Judge

        self.judge = Judge.read(folder)
        return self

    @property
    def is_unjudged(self) -> bool:
        """True where songs would be drawn from several samples, and no judge is there."""
        return self.config.tries > 1 and self.judge is None

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
        if self.parts.given:
            raise self.needs_a_song
        return super().space

    @property
    def needs_a_song(self) -> UserError:
        """Return what is said where a model that accompanies is given nothing to accompany."""
        return UserError(
            f"{self.name} accompanies {self.given_names}: give it a song, as "
            f"pianoreel music sample RUN --given song.mid --keep {self.given_names}"
        )

    @property
    def given_names(self) -> str:
        """Return the names of its given tracks, as options take them."""
        return ",".join(self.spec.tracks[number].name.lower() for number in self.parts.given)

    def to_x(self, items: Items) -> States | NoteRows:
        played = PlayedPhrases.of(items)
        if self.config.is_density:
            return to_rows(played.notes).to(self.device)
        cells = torch.from_numpy(played.cells).to(self.device)
        if self.config.has_form:
            velocity = np.where(played.velocity > 0, played.velocity, DEFAULT_VELOCITY)
            return to_played(cells, torch.from_numpy(velocity).to(cells))
        return to_states(cells)

    def from_x(self, x: States | NoteRows) -> Items:
        """Convert x to phrases; with their velocities where x has these beside the cells."""
        if self.config.is_density:
            return self.cells_of(from_rows(x), self.spec.bars)
        cells = to_cells(x).cpu().numpy()
        return PlayedPhrases(cells, velocities_of(x)) if self.config.has_form else cells

    def cells_of(self, songs: Sequence[Notes], bars: int) -> Phrases:
        """Convert songs of `bars` bars to cells."""
        size = (len(self.spec.tracks), bars, self.spec.grid)
        return np.stack([fill(notes, *size) for notes in songs])

    def join(self, parts: Sequence[Any]) -> Items:
        return PlayedPhrases.concat(parts) if self.config.has_form else np.concatenate(parts)

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
        """Make the tracks that are not given, beside the given ones of pieces of any length.

        `ConfigError` for a model that accompanies no track.
        """
        return self._accompanist.accompanied(cells, seed)

    @torch.no_grad()
    def accompany(self, rolls: Sequence[Roll], seed: int = 0) -> list[Roll]:
        """Make the tracks that are not given, beside the given ones of rolls of any length.

        The given tracks stay note for note; a new note is as loud as its neighbours were, see
        `Roll.played_like`. Song n depends on the seed and on n alone. `ConfigError` for a model
        that accompanies no track, and for rolls of other tracks or another grid.
        """
        return self._accompanist.accompany(rolls, seed)

    def graph(self) -> Graph:
        """Return what it generates with as a graph; see `musegen.graphs`."""
        prior, decoder = (dict(self.networks.items()).get(name) for name in ("prior", "decoder"))
        if isinstance(prior, LatentPrior) and isinstance(decoder, BarDecoder):
            return bars_graph(prior, decoder, self.spec.bars)
        density = dict(self.networks.items()).get("density")
        if isinstance(density, LookbackNetwork):
            return note_graph(density, self.spec.bars)
        return super().graph()

    def example_conditions(self, count: int) -> Given | None:
        """Return given tracks with a few notes, for a model that accompanies."""
        if not self.parts.given:
            return None
        grid = self.spec.grid
        shape = (count, len(self.parts.given), self.spec.bars, grid.steps_per_bar, grid.pitches)
        onset = torch.rand(shape, device=self.device) < GIVEN_DENSITY
        return to_states(ONSET * onset.byte())

    @property
    def _accompanist(self) -> Accompanist:
        if not self.parts.given:
            raise ConfigError(
                f"{self.name} makes all tracks and accompanies none: train one that does, as "
                "pianoreel music train DATA --model musegan --given piano"
            )
        return Accompanist(self)

    def sampler(self, tick: Tick = lambda done, total: None, each: int = 1) -> SongSampler:
        """Return how its family of models makes songs, of `each` samples."""
        return self._sampler(self, tick, each)

    @property
    def _sampler(self) -> type[SongSampler]:
        if self.config.has_form:
            return FormSampler
        if self.config.is_density:
            is_steered = self.config.recipe == "lookback_rnn"
            return LookbackSampler if is_steered else NoteSampler
        return Accompanist if self.parts.given else PhraseSampler

    @property
    def obeys(self) -> frozenset[str]:
        """Return the settings of `Steering` that the model obeys."""
        return self.sampler().obeys

    def songs(self, examples: Examples, bars: int, seed: int) -> list[Notes]:
        """Sample about as many bars as the examples have, as songs; without a prior, generate."""
        if not self.draws:
            return [notes_of(cells) for cells in self.generate(examples, seed)]
        return self.notes(-(-len(examples) * self.spec.bars // bars), seed, bars)

    @torch.no_grad()
    def cells(self, count: int = 1, seed: int = 0, bars: int | None = None) -> Phrases:
        """Sample pieces of any number of bars; each depends on the seed and its number alone."""
        length = self._length(bars)
        if self._tries(length, UNSTEERED) > 1:
            return self.cells_of(self.notes(count, seed, length), length)
        return self.sampler().cells(count, seed, length)

    @torch.no_grad()
    def notes(
        self,
        count: int = 1,
        seed: int = 0,
        bars: int | None = None,
        steering: Steering = UNSTEERED,
        tries: int | None = None,
    ) -> list[Notes]:
        """Sample pieces as notes, with velocities where they are learned, as `cells` does.

        `tries`: samples of which each piece is drawn, see `by_odds` of
        `musegen.composition.judge`; None takes the model's own, for pieces that are long enough
        to be judged and are not steered.
        `ConfigError` for a setting that the model does not obey.
        """
        return list(self.pieces(count, seed, bars, steering, tries=tries))

    @torch.no_grad()
    def pieces(
        self,
        count: int,
        seed: int = 0,
        bars: int | None = None,
        steering: Steering = UNSTEERED,
        tick: Tick = lambda done, total: None,
        tries: int | None = None,
    ) -> Iterator[Notes]:
        """Sample pieces as notes; yield each once it is sampled. See `notes`."""
        from musegen.composition.judge import by_odds

        self.sampler().require(steering)
        length = self._length(bars)
        of_each = tries or self._tries(length, steering)
        sampler = self.sampler(tick, of_each)
        if of_each > 1 and not self.judge:
            raise ConfigError(f"{self.name} has no judge to draw songs by: leave tries at 1")
        songs = sampler.notes(count, seed, length, steering)
        if self.judge and of_each > 1:
            form = length, self.spec.grid, self.spec.tracks
            songs = self.judge.chosen(songs, of_each, form, by_odds(seed))
        yield from songs

    def _tries(self, bars: int, steering: Steering) -> int:
        """Return of how many samples a piece is drawn, unasked."""
        is_judged = self.judge and bars >= self.judge.bars and not steering.used
        return self.config.tries if is_judged else 1

    @torch.no_grad()
    def complete(
        self,
        draft: Draft,
        count: int = 1,
        seed: int = 0,
        steering: Steering = UNSTEERED,
    ) -> list[Notes]:
        """Compose what a draft leaves open, `count` times; return the whole songs' notes.

        `ConfigError` for a model that cannot, and for a setting that it does not obey.
        """
        sampler = self.sampler()
        sampler.require(steering)
        return list(sampler.complete(draft, count, seed, steering))

    def _length(self, bars: int | None) -> int:
        return self.spec.bars if bars is None else whole("bars", bars, most=MOST_BARS)

    def rolls(self, items: Items) -> list[Roll]:
        """Phrases as rolls of the usual tempo, named after the model and numbered."""
        played = PlayedPhrases.of(items)
        tempo = np.full(played.cells.shape[2], self.spec.usual_tempo_bpm)
        form = self.spec.tracks, self.spec.grid, tempo
        return [
            Roll(notes, *form, f"{self.name} {number + 1}")
            for number, notes in enumerate(played.notes)
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
        unless count is 1 to 10,000, bars 1 to 1024 and the tempo 4 to 6e7, and for a setting that
        the model does not obey.
        """
        from musegen.composition.composition import Composition
        from musegen.composition.request import Request

        request = Request(bars=self._length(bars))
        return Composition(self, request, steering, tempo_bpm).songs(count, seed)


DOMAIN = Model.domain = Music(Model)

train = DOMAIN.train
"""Train on songs into a run folder; see `core.app.domain.Domain.train`."""
