"""The ring as a domain like any other: a model of points, trained, sampled and measured.

    train(DrawnRing(), "runs/ring", "vae")
    points = Model.load("runs/ring").points(1000, seed=1)

This file, `data.py` and `commands.py` are all that a third domain costs; networks and the ring
itself are in `domain.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from pydantic import Field
from rich import box
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from core.app import fit
from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain, Examples, Tick
from core.app.evaluation import Evaluation
from core.app.model import Model as CoreModel
from core.app.output import Output
from core.app.report import Kind, Report
from core.app.sampling import Rows, in_chunks
from core.config import Strict
from core.data.limits import Limits
from core.data.sources import RejectedFile, read_bytes
from core.errors import ConfigError, UserError
from core.files import write_figure
from core.papers import GOODFELLOW_2014
from core.recipes import Recipe
from core.ring import domain as ring
from core.ring.data import CSV, DrawnRing, PointCollection, parse_points
from core.ring.domain import MODES, Points
from core.ring.settings import (
    GAME,
    LIKELIHOOD,
    Couplings,
    settings_of,
    with_bandwidths,
    with_flow,
)
from core.theory.divergences import mmd
from core.theory.passes import Batch, Networks, read_condition
from core.theory.shapes import Samples
from core.training.loop import UNMONITORED, Monitor
from core.training.presets import SMOKE_TEST, Preset
from core.training.step import Batches

Data = DrawnRing | PointCollection

MEASURED = 1000
"""Points that are sampled and measured while training."""


class RingModel(ModelConfig):
    """A model of points: its recipe, what differs from it, the sizes of its networks.

    `latent`: size of z. `frequencies`: of the encoder's Fourier features. `bandwidths`: of the
    MMD's kernels, none for the default. `flow`: size of a flow, where the recipe has one.
    """

    latent: int = Field(default=ring.LATENT, gt=0)
    frequencies: int = Field(default=0, ge=0)
    bandwidths: tuple[float, ...] = ()
    flow: Couplings | None = None

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe with these games, weights, stabilisers, kernels and flows."""
        return with_flow(with_bandwidths(super().resolved_recipe, self.bandwidths), self.flow)


@dataclass(frozen=True)
class RingPreset(Preset):
    """The settings by which each recipe learns the ring, see `core.ring.settings`."""

    def values(self, name: str, recipe: Recipe) -> dict[str, Any]:
        settings = settings_of(name).model_dump(mode="json")
        chosen = ("weights", "stabilisers", "latent", "frequencies", "bandwidths", "flow")
        model: dict[str, Any] = {"recipe": name, **{key: settings[key] for key in chosen}}
        if settings["critic_steps"]:
            model["critic_steps"] = settings["critic_steps"]
        return {"model": model, "train": settings["train"]}


PAPER = GOODFELLOW_2014.title

PRESETS = {
    "tiny": Preset(
        purpose="a few steps: for tests and for trying a command",
        paper=PAPER,
        expected="noise",
        cost="a second",
        networks={},
        adversarial=SMOKE_TEST,
        non_adversarial=SMOKE_TEST,
        models={},
    ),
    "small": RingPreset(
        purpose="the ring in minutes",
        paper=PAPER,
        expected="all eight modes by most models",
        cost="a minute on one CPU core",
        networks={},
        adversarial=GAME.train,
        non_adversarial=LIKELIHOOD.train,
        models={},
    ),
}


class DataSpec(Strict):
    """The specification of points: how many labels there are."""

    labels: int = MODES


class RingRun(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    model: RingModel
    spec: DataSpec


@dataclass(frozen=True)
class Row:
    """Points against the ring: their squared MMD to the data, and the modes they cover."""

    name: str
    kind: Kind
    count: int
    discrepancy: float
    modes: int
    good: float


class Ring(Domain):
    """Points of the plane: x is [batch 2], c a one-hot label."""

    name = "ring"
    item = "point"
    presets = PRESETS
    default_model = "vae"
    offers = ring.OFFERS
    suffixes = CSV
    config = RingRun
    axes = {"condition": "batch label", "x": "batch coordinate"}
    tags = ("two-dimensional",)

    @property
    def model(self) -> "type[Model]":
        return Model

    def open(self, folder: Path) -> PointCollection:
        return PointCollection.open(folder)

    def spec_of(self, data: Data) -> dict[str, Any]:
        return DataSpec().model_dump(mode="json")

    def require_same_spec(self, data: Data, other: Data) -> None:
        """Accept any two: all points have one specification."""

    def networks(self, config: RingRun) -> Networks:
        model = config.model
        return ring.networks(model.resolved_recipe, model.latent, model.frequencies)

    def batches(
        self, data: Data, config: RingRun, device: torch.device, other: Data | None = None
    ) -> Batches:
        size, seed, recipe = config.train.batch_size, config.train.seed, config.model.base_recipe

        def draw(number: int) -> Batch:
            x, labels = data.batch(number, size, seed)
            if recipe.sequence:
                return Batch(ring.to_symbols(x).to(device))
            c = F.one_hot(labels, MODES).float() if "condition" in recipe.needs else None
            second = None if other is None else other.batch(number, size, seed)[0].to(device)
            return Batch(x.to(device), None if c is None else c.to(device), second)

        return draw

    def examples(self, data: Data, count: int, seed: int) -> Examples:
        x, labels = data.batch(0, count, seed, data.splits[-1])
        return Examples(x, [str(label) for label in labels.tolist()])

    def read(self, model: "Model", path: Path) -> Examples:
        """Read the points of a .csv file."""
        try:
            record = parse_points(read_bytes(path, Limits()))
        except RejectedFile as error:
            raise UserError(f"{path}: {error.detail}") from error
        labels = [str(label) for label in record.labels.tolist()]
        return Examples(torch.from_numpy(record.points), labels)

    def condition(self, text: str, seed: int) -> tuple[Sequence[str], int]:
        """Read a text as a label, 0 to 7."""
        if not (text.isdecimal() and int(text) < MODES):
            raise UserError(f"'{text}' is neither a .csv file nor a label from 0 to {MODES - 1}")
        return [text], seed

    def write(
        self,
        model: "Model",
        items: Points,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[Any] | None = None,
    ) -> Iterator[Path]:
        """Write points as lines x,y of a .csv, and draw them."""
        lines = "".join(f"{x:.6f},{y:.6f}\n" for x, y in items.tolist())
        yield to.write(path := to.folder / f"{name}.csv", lines.encode())
        yield to.draw(path.with_suffix(".png"), partial(self.show, model, items, titles))

    def show(self, model: "Model", items: Points, titles: Sequence[str], path: Path) -> None:
        """Draw points over the ring."""
        figure = Figure(figsize=(4, 4), dpi=90, layout="constrained")
        axes = figure.subplots()
        axes.scatter(*ring.points(1000, seed=0).T.numpy(), s=2, color="#d8dee9")
        axes.scatter(*items.T.numpy(), s=6, color="#3f6fa3")
        axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        axes.set_axis_off()
        write_figure(figure, path)

    def measures(
        self, data: Data, config: RingRun, other: Data | None = None
    ) -> "Callable[[CoreModel], dict[str, float]]":
        """The squared MMD to held-out points."""
        real = self.examples(data, MEASURED, 1)
        source = real if other is None else self.examples(other, MEASURED, 1)

        def measure(model: CoreModel) -> dict[str, float]:
            points = model.generate(source, config.train.seed)
            return {"distance": mmd(points, real.items).item()}

        return measure

    def data_of(self, subject: "Model") -> DrawnRing:
        return DrawnRing()

    def evaluate(
        self,
        models: "Sequence[Model]",
        data: Data,
        count: int,
        seed: int,
        other: Data | None = None,
        tick: Tick = lambda done, total: None,
    ) -> Evaluation:
        """Measure models beside held-out points and beside one Gaussian."""
        real, half = (self.examples(data, count, number) for number in (seed, seed + 1))
        rows = []
        for model in models:
            examples = self.examples(model.source(data, other), count, seed)
            points = model.generate(examples, seed)
            rows.append(_row(model.name, "generated", points, real.items))
        rows.append(_row("held-out points", "real", half.items, real.items))
        chance = torch.Generator().manual_seed(seed + 2)
        gaussian = 1.4 * torch.randn(count, 2, generator=chance)
        rows.append(_row("one Gaussian", "baseline", gaussian, real.items))
        return Evaluation(Report(tuple(rows)), _tables, _draw_report, width=80)


def _row(name: str, kind: Kind, points: Points, real: Points) -> Row:
    modes, good = ring.coverage(points)
    return Row(name, kind, len(points), mmd(points, real).item(), modes, good)


def _tables(report: Report) -> Iterator[Table]:
    table = Table(title="distance to the data", title_justify="left", box=box.SIMPLE)
    for column in ("points of", "squared MMD", "modes", "% good"):
        table.add_column(column, justify="left" if column == "points of" else "right")
    for row in report.rows:
        table.add_row(row.name, f"{row.discrepancy:.4f}", f"{row.modes}", f"{100 * row.good:.0f}")
    yield table


def _draw_report(report: Report, path: Path) -> None:
    figure = Figure(figsize=(6, 3), dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.barh([row.name for row in report.rows], [100 * row.good for row in report.rows])
    axes.set(xlabel="% of points near a mode", xlim=(0, 100))
    axes.invert_yaxis()
    write_figure(figure, path)


DOMAIN = Ring()


class Model(CoreModel):
    """Trained networks that give points."""

    domain = DOMAIN
    config: RingModel
    spec: DataSpec

    def to_x(self, items: Points) -> Samples:
        return items.to(self.device)

    def from_x(self, x: Samples) -> Points:
        return x.cpu()

    def read_conditions(self, conditions: Sequence[str] | None) -> Tensor | None:
        """One-hot labels."""
        if conditions is None or "condition" not in self.networks:
            return None
        labels = torch.tensor([int(label) for label in conditions])
        return F.one_hot(labels, MODES).float().to(self.device)

    def example_conditions(self, count: int) -> Tensor | None:
        """One-hot labels, one after another."""
        return self.read_conditions([str(number % MODES) for number in range(count)])

    def sampled_like(self, examples: Examples, seed: int) -> Points:
        return self.points(len(examples), seed, examples.conditions)

    @torch.no_grad()
    def points(self, count: int = 1, seed: int = 0, labels: Sequence[str] | None = None) -> Points:
        """Sample points; a model that reads labels needs one for each."""
        raw = self.read_conditions(labels)
        if raw is None and "condition" in self.networks:
            raise ConfigError(f"{self.name} reads labels: give one for each point")

        def draw(rows: Rows) -> Samples:
            if "density" in self.networks:
                x = self.networks["density"](len(rows)).rsample()
                return ring.from_symbols(x) if self.config.base_recipe.sequence else x
            c = None if raw is None else read_condition(self.networks, raw[rows])
            return self.networks["decoder"](self.prior(len(rows), c).rsample(), c).rsample()

        return self.from_x(in_chunks(count, seed, self.device, draw))


def train(
    data: str | Path | Data,
    to: str | Path,
    model: str | None = None,
    preset: str | None = None,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Data | None = None,
    monitor: Monitor = UNMONITORED,
    start: str | Path | None = None,
) -> Model:
    """Train on points into the run folder `to`; the same call resumes there."""
    return fit.train(
        DOMAIN, data, to, model, preset, device, assignments, other, monitor=monitor, start=start
    )
