"""A music model as its user meets it: train on a collection, load, sample, get rolls.

train("data/songs", "runs/songs", preset="small")
model = Model.load("runs/songs")           # or Model.load() for the weights that ship
rolls = model.sample(count=8, bars=16, seed=1)
write_midi(rolls[0], "song.mid")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field

from core.config import ConfigError, Strict, UserError, nearest, override, resolve
from core.learning import Batches, Learning, is_critic
from core.passes import Batch, Networks
from core.recipes import RECIPES, Recipe, recipe
from core.run import Run
from core.train import Observe, TrainConfig
from core.train import train as train_run
from musegen.collection import Collection, spread
from musegen.latents import Wires
from musegen.networks import MuseGANConfig, build
from musegen.notes import DensityConfig, NoteDensity
from musegen.presets import DEFAULT_PRESET, PRESETS
from musegen.roll import Grid, Roll
from musegen.states import to_cells, to_states
from musegen.tracks import Track

SHIPPED = Path(__file__).parent / "weights"
"""The weights that ship with the package, a run folder for each model."""

DEFAULT = "notes"
"""The shipped model that is sampled where none is named."""

ALIASES = {"notes": "autoregressive"}
"""What the domain calls a recipe."""

CHANGEABLE = tuple(
    f"train.{name}"
    for name in (
        "steps",
        "minutes",
        "log_every_steps",
        "sample_every_steps",
        "save_every_steps",
        "save_every_minutes",
    )
)
"""What may differ when a run is resumed: how long and how often, not what."""


class Form(Strict):
    """What a phrase is. Networks are built for one form."""

    grid: Grid
    tracks: tuple[Track, ...]
    bars: int


class ModelConfig(Strict):
    """A model: its recipe, what differs from it, its networks' sizes."""

    recipe: str = "musegan"
    weights: dict[str, float] = {}
    critic_steps: int | None = Field(default=None, gt=0)
    musegan: MuseGANConfig = MuseGANConfig()
    density: DensityConfig = DensityConfig()

    @property
    def statements(self) -> Recipe:
        statements = recipe(self.recipe).weighted(self.weights)
        return statements.paced(self.critic_steps) if self.critic_steps else statements


class MusicConfig(Strict):
    """All that a run needs in order to be understood and repeated."""

    model: ModelConfig
    form: Form
    train: TrainConfig
    data_sha256: str = ""


def configure(
    data: Collection,
    model: str = "musegan",
    wiring: str | None = None,
    preset: str = DEFAULT_PRESET,
    assignments: Sequence[str] = (),
) -> MusicConfig:
    """The preset's configuration for this data, with `a.b=value` assignments on top."""
    name = ALIASES.get(model, model)
    if name not in RECIPES:
        raise ConfigError(f"no model is called '{model}': {nearest(model, [*ALIASES, *RECIPES])}")
    if preset not in PRESETS:
        raise ConfigError(f"no preset is called '{preset}': {nearest(preset, list(PRESETS))}")
    chosen = PRESETS[preset].of(name)
    values: dict[str, Any] = {
        "model": {"recipe": name, "musegan": chosen.musegan.model_dump(mode="json")},
        "form": Form(grid=data.grid, tracks=data.tracks, bars=data.bars).model_dump(mode="json"),
        "train": chosen.train.model_dump(mode="json"),
        "data_sha256": data.store.digest,
    }
    values["model"]["density"] = chosen.density.model_dump(mode="json")
    if wiring:
        values["model"]["musegan"]["wiring"] = wiring
    return resolve(MusicConfig, override(values, assignments), "the configuration")


def networks(config: ModelConfig, form: Form) -> Networks:
    """The networks that the recipe asks for, for phrases of this form."""
    statements = config.statements
    if "density" in statements.networks:
        return Networks(
            {"density": NoteDensity(config.density, form.grid, form.tracks, form.bars)}
        )
    return build(config.musegan, form.grid, form.tracks, form.bars, statements)


def batches(data: Collection, size: int, seed: int, device: torch.device) -> Batches:
    """Phrases of the training split as x; each batch is a function of its number and the seed."""

    def draw(number: int) -> Batch:
        cells = torch.from_numpy(data.batch(number, size, seed))
        return Batch(to_states(cells.to(device)))

    return draw


def train(
    data: str | Path | Collection,
    to: str | Path,
    model: str = "musegan",
    wiring: str | None = None,
    preset: str = DEFAULT_PRESET,
    device: str = "auto",
    assignments: Sequence[str] = (),
) -> "Model":
    """Train on prepared data into the run folder `to`; the same call resumes there."""
    collection = data if isinstance(data, Collection) else Collection.open(data)
    if not len(collection.indices("train")):
        raise UserError(f"{collection.store.folder} has no phrase to train on")
    config = configure(collection, model, wiring, preset, assignments)
    chosen = choose_device(device)
    torch.manual_seed(config.train.seed)
    learning = Learning(
        networks(config.model, config.form).to(chosen),
        config.model.statements,
        config.train.learner,
        config.train.critic,
        config.train.average_decay,
        config.train.bf16,
    )
    draw = batches(collection, config.train.batch_size, config.train.seed, chosen)
    with Run.open(Path(to), config.model_dump(mode="json"), CHANGEABLE) as run:
        train_run(run, learning, draw, config.train, observer(run, collection, config))
    return Model(learning.averages, config.model, config.form, Path(to).name)


def observer(run: Run, data: Collection, config: MusicConfig) -> Observe:
    """Samples while training: a picture, a MIDI file, and the yardstick's distance to the data."""
    from musegen.metrics import Yardstick
    from musegen.midi import write_midi
    from musegen.render import draw_phrases

    real = data.rolls(spread(data.indices("train"), 1024))
    judge = Yardstick.of(real, data.grid, data.tracks)

    def observe(averages: Networks, step: int) -> dict[str, float]:
        model = Model(averages, config.model, config.form, run.folder.name)
        cells = model.cells(count=128, seed=config.train.seed)
        rolls = model.rolls(cells[:8])
        draw_phrases(rolls, run.samples / f"step-{step:08d}.png")
        write_midi(rolls[0], run.samples / f"step-{step:08d}.mid")
        return {"distance": judge.distance(cells)}

    return observe


def choose_device(name: str) -> torch.device:
    """auto: a CUDA device where there is one, then Apple's, then the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name.split(":")[0] not in available:
        raise ConfigError(f"no device is called '{name}': there are auto, cpu, cuda, mps")
    if not available[name.split(":")[0]]:
        raise UserError(f"there is no {name} device here: use --device cpu")
    return torch.device(name)


@dataclass
class Model:
    """Trained networks with what they need to write rolls."""

    networks: Networks
    config: ModelConfig
    form: Form
    name: str = ""

    @classmethod
    def load(cls, run: str | Path | None = None, device: str = "auto") -> "Model":
        """The best weights of a run folder, or a shipped model by its name; None: the default."""
        folder = _folder(run)
        stored = Run.read(folder)
        config = resolve(MusicConfig, stored.config, str(folder / "config.yaml"))
        whole = networks(config.model, config.form)
        made = Networks({name: part for name, part in whole.items() if not is_critic(name)})
        stored.fill(made, group="averages")
        return cls(made.eval().to(choose_device(device)), config.model, config.form, folder.name)

    @torch.no_grad()
    def cells(
        self, count: int, seed: int = 0, bars: int | None = None
    ) -> UInt8[np.ndarray, "batch track bar step pitch"]:
        """Sample phrases of any length; the same seed gives the same cells."""
        torch.manual_seed(seed)
        bars = bars or self.form.bars
        if "density" in self.networks:
            x = self.networks["density"](count).sample(bars)
        else:
            x = self._phrases(count, -(-bars // self.form.bars))[:, :, :, :bars]
        return to_cells(x).cpu().numpy()

    def _phrases(self, count: int, phrases: int) -> torch.Tensor:
        """Phrases in a row: the shared parts of z stay, the moving parts are drawn anew."""
        decoder, prior = self.networks["decoder"], self.networks["prior"]
        wires = decoder.get_submodule("wires")
        assert isinstance(wires, Wires)
        z = prior(count).rsample()
        made = [decoder(z).rsample()]
        for _ in range(phrases - 1):
            z = wires.next_phrase(z, prior(count).rsample())
            made.append(decoder(z).rsample())
        return torch.cat(made, dim=3)

    def rolls(
        self, cells: UInt8[np.ndarray, "batch track bar step pitch"], tempo_bpm: float = 120.0
    ) -> list[Roll]:
        """Cells as rolls, named after the model and numbered."""
        tempo = np.full(cells.shape[2], tempo_bpm)
        return [
            Roll(one, self.form.tracks, self.form.grid, tempo, f"{self.name} {number + 1}")
            for number, one in enumerate(cells)
        ]

    def sample(
        self, count: int = 1, bars: int | None = None, seed: int = 0, tempo_bpm: float = 120.0
    ) -> list[Roll]:
        """Make `count` pieces of `bars` bars (by default the bars of a phrase)."""
        return self.rolls(self.cells(count, seed, bars), tempo_bpm)


def _folder(run: str | Path | None) -> Path:
    shipped = SHIPPED / str(run or DEFAULT)
    folder = shipped if shipped.is_dir() else Path(run or shipped)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give a run, as `pianoreel music train` makes it")
    return folder
