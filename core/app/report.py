"""A report: rows of measurements that compare generated samples with real data and baselines."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["generated", "real", "baseline"]
"""generated: by the model under evaluation; real: from the data; baseline: to be beaten."""

REPORT_FILE = "evaluation.json"
"""The file of a report in the folder of an evaluation or a comparison."""
COLOURS: dict[Kind, str] = {"generated": "#bf616a", "real": "#3f6fa3", "baseline": "#9aa3b2"}


@dataclass(frozen=True)
class Report:
    """All rows of an evaluation, each a dataclass with `name` and `kind`."""

    rows: tuple[Any, ...]

    @property
    def generated(self) -> Any:
        """Return the first row of generated samples."""
        return next(row for row in self.rows if row.kind == "generated")

    def json(self) -> str:
        """Return all rows as JSON; NaN becomes null."""
        rows = [null_for_nan(asdict(row)) for row in self.rows]
        return json.dumps({"rows": rows}, indent=1, allow_nan=False)


def is_report(text: str) -> bool:
    """Return whether a text is a report, as `Report.json` writes it.

    >>> is_report('{"rows": [{"name": "mine", "kind": "generated"}]}'), is_report('{"rows": [1]}')
    (True, False)
    """
    try:
        rows = json.loads(text)["rows"]
        return bool(rows) and all(row["kind"] in get_args(Kind) for row in rows)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def null_for_nan(value: object) -> object:
    """Replace every NaN by None, in nested dicts and lists too.

    >>> null_for_nan({"a": [1.5, math.nan], "b": {"c": math.nan}})
    {'a': [1.5, None], 'b': {'c': None}}
    """
    if isinstance(value, dict):
        return {key: null_for_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [null_for_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def format_number(value: float, spec: str = ".3g") -> str:
    """Format a number for a table; NaN becomes a dash."""
    return "-" if math.isnan(value) else format(value, spec)


def format_percent(share: float) -> str:
    """Format a share as a percentage for a table; NaN becomes a dash.

    >>> format_percent(0.125), format_percent(math.nan)
    ('12.5', '-')
    """
    return format_number(100 * share, ".1f")


def list_meanings(meanings: Mapping[str, str]) -> str:
    """List the columns of a table with their meanings, one a line."""
    return "\n".join(f"- {name}: {meaning}" for name, meaning in meanings.items())
