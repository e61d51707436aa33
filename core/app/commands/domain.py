"""A domain's part of its commands."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel

from core.app.commands.options import CollectionArgument, Overwrite
from core.app.output import Output
from core.config import override, resolve
from core.data.limits import Limits

if TYPE_CHECKING:
    from core.app.domain import Domain
    from core.app.latent_commands import Reader
    from core.app.model import Model

Settings = TypeVar("Settings", bound=BaseModel)


class DomainCommands(ABC):
    """A domain's part of its commands.

    `name` is the group's, `items` the plural of its items, also the default folder to write to.
    `examples`: lines for each command's help. `libraries`: distributions that read and write its
    files, whose versions `pianoreel doctor` lists. Methods with annotated options lend these to
    the command of their name (`prepare`, `sample`) or of their purpose (`open_data`,
    `train_options`, `reader`, `output`, `completed`).
    """

    name: ClassVar[str]
    items: ClassVar[str]
    point_help: ClassVar[str]
    examples: ClassVar[Mapping[str, Iterable[str]]]
    libraries: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def domain(self) -> "Domain":
        """Import and return the domain."""

    @abstractmethod
    def prepare(self, *args: Any, **options: Any) -> Any:
        """Read sources into a collection; return a summary with `lines` and `rejects`."""

    def prepare_config(
        self, kind: type[Settings], chosen: Mapping[str, Any], assignments: Sequence[str] | None
    ) -> Settings:
        """Return the settings of `prepare`: its options, then the assignments of --set."""
        return resolve(kind, override(chosen, assignments or []), f"{self.name} prepare")

    def open_data(self, preset: str, data: CollectionArgument, *args: Any, **options: Any) -> Any:
        """Open the data to train on, by default a collection; `preset`: of the training."""
        return self.domain().open(data)

    def open_other(self, other: str, data: Any) -> Any:
        """Open a second collection beside `data`."""
        return self.domain().open(Path(other))

    def train_options(self) -> list[str]:
        """Return the assignments (`key=value`) of the domain's own options of `train`."""
        return []

    def use(self, trained: "Model", run: str) -> str:
        """Say by which command a model is used that is trained; `run` as a shell reads it."""
        if trained.translates:
            return f"translate your {self.items} with: pianoreel {self.name} translate {run} FILE"
        if not trained.draws:
            return f"see what it has learned with: pianoreel {self.name} reconstruct {run} FILE"
        return f"sample from it with: pianoreel {self.name} sample {run}"

    def reader(self, items: Sequence[str], *args: Any, **options: Any) -> "Reader":
        """Return how files are read that are among the items of a command of latent space."""
        return self.domain().read

    def output(
        self, to: Path, device: str, *args: Any, overwrite: Overwrite = False, **options: Any
    ) -> Output:
        """Return where and how items are written. `device`: for networks that take part in it."""
        return Output(to, overwrite=overwrite)

    def completed(self, evaluation: Any) -> Any:
        """Return an evaluation with what the domain's own options of `evaluate` ask for."""
        return evaluation

    @abstractmethod
    def sample(self, *args: Any, **options: Any) -> Iterable[Path]:
        """Sample and write; yield paths."""

    def further(self) -> Iterable[tuple[str, Callable[..., None]]]:
        """Return the commands that the domain alone has, each after its panel in the help."""
        return ()

    def limits(self) -> Mapping[str, Limits]:
        """Return the limits on a file of each kind that the domain reads."""
        return {}
