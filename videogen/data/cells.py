"""Values of the cells of a table, and what is wrong with a table as a whole."""

import ast
import warnings
from collections.abc import Mapping
from typing import Any

LIST_CHARACTERS = 100_000
"""Most characters of a list in one cell."""

Fields = Mapping[str, Any]
"""The values of a row by the names of their columns."""


class NotUnderstood(Exception):
    """Raised for a file that is no manifest, with what is missing or cannot be read."""


class Faulty(NotUnderstood):
    """Raised for a manifest of which a part is not understood, so that nothing of it counts."""


def listed(value: Any) -> Any:
    """Return the list that a cell writes in brackets, as Python does; another value as it is."""
    text = value.strip() if isinstance(value, str) else ""
    if not (text.startswith(("['", '["', "[[")) and text.endswith("]")):
        return value
    if len(text) > LIST_CHARACTERS:
        return value
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value
