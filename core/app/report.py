"""A report: rows that are measured alike, what was made beside what is real and what is chance."""

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["made", "real", "baseline"]
"""made: by the model in question; real: of the data; baseline: to be beaten."""

COLOURS: dict[Kind, str] = {"made": "#bf616a", "real": "#3f6fa3", "baseline": "#9aa3b2"}


@dataclass(frozen=True)
class Report:
    """All rows of an evaluation, each a dataclass with `name` and `kind`."""

    rows: tuple[Any, ...]

    @property
    def made(self) -> Any:
        """The first row that the model in question made."""
        return next(row for row in self.rows if row.kind == "made")

    def json(self) -> str:
        """All numbers; what does not exist is null."""
        rows = [plain(row.__dict__) for row in self.rows]
        return json.dumps({"rows": rows}, indent=1, allow_nan=False)


def plain(value: object) -> object:
    """The value with null for what is not a number."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def told(value: float, form: str = ".3g") -> str:
    """A number of a table; a dash where there is none."""
    return "-" if math.isnan(value) else format(value, form)
