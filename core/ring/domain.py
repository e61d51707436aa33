"""The ring as a domain like any other: what points hand over to the commands of all domains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from matplotlib.figure import Figure
from torch.nn import functional as F

from core.app.domain import Domain, Examples
from core.app.evaluation import Evaluation
from core.app.model import Model as CoreModel
from core.app.output import Output
from core.app.report import Report
from core.data.limits import Limits
from core.data.preparation import Tasks, unshown
from core.data.sources import RejectedFile, read_bytes
from core.errors import UserError
from core.files import write_figure
from core.ring import eight_gaussians as ring
from core.ring import scorecard
from core.ring.configuration import DataSpec, RingRun
from core.ring.data import CSV, DrawnRing, PointCollection, parse_points
from core.ring.eight_gaussians import MODES, Points
from core.ring.presets import PRESETS
from core.theory.divergences import mmd
from core.theory.passes import Batch, Networks
from core.training.step import Batches

if TYPE_CHECKING:
    from core.ring.model import Model

Data = DrawnRing | PointCollection

MEASURED = 1000
"""Points that are sampled and measured while training."""


class Ring(Domain[Data, RingRun, Points, "Model"]):
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
    EXAMPLES_OF_A_MODEL = 500

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
        self.contrast(model, {"": items}, path)

    def contrast(self, model: "Model", items: Mapping[str, Points], path: Path) -> None:
        """Draw points of each origin over a ring of its own."""
        columns = min(4, len(items))
        rows = -(-len(items) // columns)
        figure = Figure(figsize=(4 * columns, 4 * rows), dpi=90, layout="constrained")
        every = [*figure.subplots(rows, columns, squeeze=False).flat]
        for axes in every:
            axes.set_axis_off()
        for axes, (name, points) in zip(every, items.items(), strict=False):
            axes.scatter(*ring.points(1000, seed=0).T.numpy(), s=2, color="#d8dee9")
            axes.scatter(*points.T.numpy(), s=6, color="#3f6fa3")
            axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title=name)
        write_figure(figure, path)

    def measures(
        self, data: Data, config: RingRun, other: Data | None = None
    ) -> Callable[[CoreModel], dict[str, float]]:
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
        tasks: Tasks = unshown,
    ) -> Evaluation:
        """Measure models beside held-out points and beside one Gaussian."""
        real, half = (self.examples(data, count, number) for number in (seed, seed + 1))
        rows = []
        tick = tasks("models measured")
        for number, model in enumerate(models, 1):
            examples = self.examples(model.source(data, other), count, seed)
            points = model.generate(examples, seed)
            rows.append(scorecard.row_of(model.name, "generated", points, real.items))
            tick(number, len(models))
        rows.append(scorecard.row_of("held-out points", "real", half.items, real.items))
        chance = torch.Generator().manual_seed(seed + 2)
        gaussian = 1.4 * torch.randn(count, 2, generator=chance)
        rows.append(scorecard.row_of("one Gaussian", "baseline", gaussian, real.items))
        report = Report(tuple(rows))
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)
