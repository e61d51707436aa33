"""The commands of the ring: every model of the theory in a minute, with the commands that every
domain has."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.app.commands.domain import DomainCommands
from core.app.commands.options import CollectionFolder, RunArgument, Seed, Set
from core.app.output import Output

if TYPE_CHECKING:
    from core.ring.data import DrawnRing
    from core.ring.domain import Data, Ring


class RingCommands(DomainCommands):
    """Points, from .csv files to .csv files."""

    name = "ring"
    items = "points"
    point_help = "a .csv file or a label from 0 to 7"
    examples = {
        "prepare": ("prepare points/ --to data/points",),
        "train": (
            "train --model wgan_gp --to runs/ring",
            "train data/points --model realnvp --to runs/mine",
            "train --model cyclegan --other small --to runs/between",
        ),
        "sample": ("sample runs/ring --count 1000 --to points",),
        "evaluate": ("evaluate runs/ring --count 2000",),
        "compare": ("compare --model gan --model vae --steps 2000 --to comparison",),
        "interpolate": ("interpolate runs/vae a.csv b.csv",),
        "arithmetic": ("arithmetic runs/cvae 0 1 2",),
        "reconstruct": ("reconstruct runs/vae a.csv",),
        "vary": ("vary runs/cvae 3 --count 8",),
        "translate": ("translate runs/between a.csv",),
    }

    def domain(self) -> "Ring":
        from core.ring.model import DOMAIN

        return DOMAIN

    def prepare(
        self,
        jobs: int,
        tick: Callable[[int, int], None],
        sources: Annotated[list[str], typer.Argument(help="Folders or .csv files: x,y[,label].")],
        to: CollectionFolder,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.ring.data import PrepareConfig, prepare

        config = self.prepare_config(PrepareConfig, {"seed": seed}, settings)
        return prepare(sources, to, config, jobs=jobs, tick=tick)

    def open_data(
        self,
        preset: str,
        data: Annotated[
            Path | None,
            typer.Argument(help="A collection that `prepare` wrote; without it, the ring."),
        ] = None,
    ) -> "Data":
        from core.ring.data import DrawnRing

        return self.domain().open(data) if data else DrawnRing()

    def open_other(self, other: str, data: "Data") -> "Data | DrawnRing":
        """A second collection: a folder, or `small` or `shifted` rings."""
        from core.ring.data import DrawnRing

        return self.domain().open(Path(other)) if Path(other).is_dir() else DrawnRing(other)

    def sample(
        self,
        to: Output,
        seed: int,
        device: str,
        run: RunArgument = None,
        count: Annotated[int, typer.Option(min=1, max=100_000, help="Points to sample.")] = 1000,
    ) -> Iterator[Path]:
        from core.ring.model import Model

        model = Model.load(run, device)
        to.create()
        labels = [str(number % model.spec.labels) for number in range(count)]
        points = model.points(count, seed, labels)
        yield from self.domain().write(model, points, labels, "points", to)
