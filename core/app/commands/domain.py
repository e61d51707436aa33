"""A domain's part of its commands."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.app.output import Output

if TYPE_CHECKING:
    from core.app.domain import Domain
    from core.app.latent_commands import Reader
    from core.app.model import Model


class DomainCommands(ABC):
    """A domain's part of its commands.

    `name` is the group's, `items` the plural of its items, also the default folder to write to.
    `examples`: lines for each command's help. Methods with annotated options lend these to the
    command of their name (`prepare`, `sample`) or of their purpose (`open_data`, `train_options`,
    `reader`, `output`, `completed`).
    """

    name: ClassVar[str]
    items: ClassVar[str]
    point_help: ClassVar[str]
    examples: ClassVar[Mapping[str, Iterable[str]]]

    @abstractmethod
    def domain(self) -> "Domain":
        """Import and return the domain."""

    @abstractmethod
    def prepare(self, *args: Any, **options: Any) -> Any:
        """Read sources into a collection; return a summary with `lines` and `rejects`."""

    @abstractmethod
    def open_data(self, *args: Any, **options: Any) -> Any:
        """Open the data to train on; called with the domain's options and `preset`."""

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

    def output(self, to: Path, device: str, *args: Any, **options: Any) -> Output:
        """Return where and how items are written. `device`: for networks that take part in it."""
        return Output(to)

    def completed(self, evaluation: Any) -> Any:
        """Return an evaluation with what the domain's own options of `evaluate` ask for."""
        return evaluation

    @abstractmethod
    def sample(self, *args: Any, **options: Any) -> Iterable[Path]:
        """Sample and write; yield paths."""
