"""A music model as its user meets it: train on a collection, load, sample, get rolls.

train("data/songs", "runs/songs", preset="small")
model = Model.load("runs/songs")           # or Model.load() for the weights that ship
rolls = model.sample(count=8, bars=16, seed=1)
write_midi(rolls[0], "song.mid")
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain
from core.app.fit import fit
from core.app.latent import LatentPoints
from core.app.model import Trained
from core.config import Strict
from core.errors import UserError
from core.theory.passes import Batch, Networks
from core.training.device import choose_device
from core.training.loop import UNMONITORED, Monitor, Observe
from core.training.run import Run
from core.training.step import Batches
from musegen.data.collection import Collection, spread
from musegen.files.smf import MIDI
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.musegan import build
from musegen.networks.note_transformer import DensityConfig, NoteDensity
from musegen.networks.states import States, to_cells, to_states
from musegen.networks.wirings import Wires
from musegen.presets import DEFAULT_PRESET, PRESETS
from musegen.roll import Grid, Phrases, Roll
from musegen.tracks import Track

OBSERVED = 128
"""Phrases that are made at a time while training."""

COPY = 0.9
"""Share of the notes heard of which more are left in what is nearly a copy."""

DOMAIN = Domain(
    name="music",
    presets=PRESETS,
    shipped=Path(__file__).parent / "weights",
    default="note_transformer",
    offers=frozenset({"density", "statistics", "other"}),
    aliases={"note_transformer": "autoregressive", "notes": "autoregressive"},
    files=MIDI,
)


class DataSpec(Strict):
    """What a phrase is. Networks are built for one form."""

    grid: Grid
    tracks: tuple[Track, ...]
    bars: int


class MusicModel(ModelConfig):
    """A model of music: its recipe, what differs from it, its networks' sizes."""

    musegan: MuseGANConfig = MuseGANConfig()
    density: DensityConfig = DensityConfig()


class MusicConfig(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    model: MusicModel
    spec: DataSpec


def configure(
    data: Collection,
    model: str = "musegan",
    wiring: str | None = None,
    preset: str = DEFAULT_PRESET,
    assignments: Sequence[str] = (),
    other: Collection | None = None,
) -> MusicConfig:
    """The preset's configuration for this data, with `a.b=value` assignments on top.

    `other`: the second collection of a model that goes between two.
    """
    spec = DataSpec(grid=data.grid, tracks=data.tracks, bars=data.bars)
    values = {"spec": spec.model_dump(mode="json"), "data_sha256": data.store.digest}
    if other:
        data.require_form_of(other)
        values["other_sha256"] = other.store.digest
    wired = [f"model.musegan.wiring={wiring}"] if wiring else []
    return DOMAIN.configure(MusicConfig, model, preset, values, [*wired, *assignments])


def networks(config: MusicConfig) -> Networks:
    """The networks that the recipe asks for, for phrases of the run's form."""
    model, spec, resolved_recipe = config.model, config.spec, config.model.resolved_recipe
    if "density" in resolved_recipe.networks:
        return Networks({"density": NoteDensity(model.density, spec.grid, spec.tracks, spec.bars)})
    return build(model.musegan, spec.grid, spec.tracks, spec.bars, resolved_recipe)


def batches(
    data: Collection, size: int, seed: int, device: torch.device, other: Collection | None = None
) -> Batches:
    """Phrases of the training split as x, with those of another collection, if any.

    Each batch is a function of its number and the seed.
    """

    def states(source: Collection, number: int) -> torch.Tensor:
        return to_states(torch.from_numpy(source.batch(number, size, seed)).to(device))

    def draw(number: int) -> Batch:
        return Batch(states(data, number), other=states(other, number) if other else None)

    return draw


def train(
    data: str | Path | Collection,
    to: str | Path,
    model: str = "musegan",
    wiring: str | None = None,
    preset: str = DEFAULT_PRESET,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Collection | None = None,
    monitor: Monitor = UNMONITORED,
) -> "Model":
    """Train on prepared data into the run folder `to`; the same call resumes there.

    `other`: the second collection of a model that goes between two.
    """
    collection = data if isinstance(data, Collection) else Collection.open(data)
    for one in (collection, other) if other else (collection,):
        if not len(one.indices("train")):
            raise UserError(f"{one.store.folder} has no phrase to train on")
    config = configure(collection, model, wiring, preset, assignments, other)
    chosen = choose_device(device)
    ema = fit(
        to,
        config,
        networks,
        batches(collection, config.train.batch_size, config.train.seed, chosen, other),
        lambda run: observer(run, collection, config, other),
        chosen,
        monitor,
    )
    return Model(ema, config.model, config.spec, Path(to).name)


def observer(
    run: Run, data: Collection, config: MusicConfig, other: Collection | None = None
) -> Observe:
    """Samples while training: a picture, a MIDI file, and the yardstick's distance to the data.

    A model without a prior begins from phrases: those of the other collection, or the data's. What
    a translation leaves nearly as it was says nothing of it, and is not measured.
    """
    from musegen.files.midi import write_midi
    from musegen.files.picture import draw_phrases
    from musegen.measures.resemblance import onset_f1
    from musegen.measures.yardstick import Yardstick

    real = data.rolls(spread(data.indices("train"), 1024))
    judge = Yardstick.of(real, data.grid, data.tracks)
    source = other or data
    given = source.rolls(spread(source.indices("train"), OBSERVED))

    def observe(ema: Networks, step: int) -> dict[str, float]:
        model = Model(ema, config.model, config.spec, run.folder.name)
        seed = config.train.seed
        cells = model.cells(OBSERVED, seed) if model.draws else model.transform(given, seed)
        rolls = model.rolls(cells[:8])
        draw_phrases(rolls, run.samples / f"step-{step:08d}.png")
        write_midi(rolls[0], run.samples / f"step-{step:08d}.mid")
        is_copy = model.translates and onset_f1(given, cells) > COPY
        return {} if is_copy else {"distance": judge.distance(cells)}

    return observe


class Model(Trained):
    """Trained networks with what they need to write rolls."""

    config: MusicModel
    spec: DataSpec
    BELONGS = (DOMAIN, MusicConfig, networks)

    @torch.no_grad()
    def cells(self, count: int, seed: int = 0, bars: int | None = None) -> Phrases:
        """Sample phrases of any length; the same seed gives the same cells."""
        torch.manual_seed(seed)
        bars = bars or self.spec.bars
        if "density" in self.networks:
            x = self.networks["density"](count).sample(bars)
        else:
            x = self._phrases(count, -(-bars // self.spec.bars))[:, :, :, :bars]
        return to_cells(x).cpu().numpy()

    def _phrases(self, count: int, phrases: int) -> torch.Tensor:
        """Phrases in a row: the shared parts of z stay, the moving parts are drawn anew."""
        decoder, z = self.networks["decoder"], self.prior(count).rsample()
        made = [decoder(z).rsample()]
        for _ in range(phrases - 1):
            wires = decoder.get_submodule("wires")
            assert isinstance(wires, Wires)
            z = wires.next_phrase(z, self.prior(count).rsample())
            made.append(decoder(z).rsample())
        return torch.cat(made, dim=3)

    @torch.no_grad()
    def encode(self, cells: Phrases) -> LatentPoints:
        """Where the encoder places phrases."""
        return self.space.encode(self._states(cells), None)

    @torch.no_grad()
    def decode(self, points: LatentPoints, seed: int = 0) -> Phrases:
        """The phrases of places; where the decoder's neurons draw, the seed decides."""
        torch.manual_seed(seed)
        return to_cells(self.space.decode(points).rsample()).cpu().numpy()

    @torch.no_grad()
    def translate(self, cells: Phrases, back: bool = False) -> Phrases:
        """Phrases in the manner of the data, or `back` in the other collection's."""
        return to_cells(self.translator(back)(self._states(cells)).mean).cpu().numpy()

    def transform(self, cells: Phrases, seed: int = 0) -> Phrases:
        """What it makes of phrases: translates them, or encodes and decodes."""
        if self.translates:
            return self.translate(cells)
        return self.decode(self.encode(cells), seed)

    def reconstruct(self, cells: Phrases, seed: int = 0) -> Phrases:
        """What comes back of the data's phrases: through z, or from the other collection."""
        return self.transform(self.translate(cells, back=True) if self.translates else cells, seed)

    def _states(self, cells: Phrases) -> States:
        return to_states(torch.from_numpy(cells).to(self.device))

    def rolls(self, cells: Phrases, tempo_bpm: float = 120.0) -> list[Roll]:
        """Cells as rolls, named after the model and numbered."""
        tempo = np.full(cells.shape[2], tempo_bpm)
        return [
            Roll(one, self.spec.tracks, self.spec.grid, tempo, f"{self.name} {number + 1}")
            for number, one in enumerate(cells)
        ]

    def sample(
        self, count: int = 1, bars: int | None = None, seed: int = 0, tempo_bpm: float = 120.0
    ) -> list[Roll]:
        """Make `count` pieces of `bars` bars (by default the bars of a phrase)."""
        return self.rolls(self.cells(count, seed, bars), tempo_bpm)
