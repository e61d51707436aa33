"""YAML settings: JSON's types, the numbers of YAML 1.2, bounded size and depth."""

import math
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from core.errors import ConfigError
from core.files import cause_of

MAX_NODES = 100_000
MAX_DEPTH = 32
TAB = "found character '\\t' that cannot start any token"
"""YAML's words for a line that is indented with a tab."""
JSON_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge")
}

FORMAT_OF = "# pianoreel run, format "
"""The comment at the top of a run's config.yaml begins so."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers (`2e-4` is a number) and JSON's types only (dates stay text)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML or JSON file; anything else is a `ConfigError`."""
    if path.exists() and not path.is_file():  # a pipe may never end
        raise ConfigError(f"{path} is no file: give a YAML file of settings")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist: give a YAML file of settings") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text: give a YAML file of settings") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {cause_of(error)}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold `key: value` lines, not a {type(values).__name__}")
    return values


def comments_of(path: Path) -> list[str]:
    """Return the comments at the top of a file, of a run's config.yaml its format and versions.

    There may be others, and the mark that some editors write before a text.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return [line.rstrip("\n") for line in takewhile(lambda one: one.startswith("#"), lines)]


def parse_yaml(text: str, origin: str) -> Any:
    """Parse text as YAML; `ConfigError` naming `origin` where it is none, or out of bounds.

    Bounds are checked before anything is built: `MAX_NODES` values, counted with every alias
    expanded, nested at most `MAX_DEPTH` deep, of JSON's types.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _require_bounds(node, origin)
        return loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(f"{origin} is nested more than {MAX_DEPTH} levels deep") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{origin} is not YAML: {_fault(error)}") from error


def _fault(error: Exception) -> str:
    """Return the line in which a text is no YAML, and why."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    is_tab = TAB in (error.problem or "")
    said = "it begins with a tab: indent with spaces" if is_tab else error.problem
    return f"line {error.problem_mark.line + 1}: {said}"


def _require_bounds(root: yaml.Node, origin: str) -> None:
    sizes: dict[int, tuple[float, float]] = {}

    def measure(node: yaml.Node) -> tuple[float, float]:
        """Return (values, depth) below a node, aliases expanded; infinite within itself."""
        if node.tag not in JSON_TAGS:
            raise ConfigError(
                f"{origin} has a value of type {node.tag}: only JSON's types are read"
            )
        if id(node) not in sizes:
            sizes[id(node)] = (math.inf, math.inf)
            _require_once(node, origin)
            inner = [measure(child) for child in _children(node)]
            depth = max((depth for _, depth in inner), default=0)
            sizes[id(node)] = (1 + sum(count for count, _ in inner), 1 + depth)
        return sizes[id(node)]

    count, depth = measure(root)
    if depth > MAX_DEPTH:
        raise ConfigError(f"{origin} is nested more than {MAX_DEPTH} levels deep")
    if count > MAX_NODES:
        raise ConfigError(f"{origin} has more than {MAX_NODES:,} values: are its aliases meant?")


def _require_once(node: yaml.Node, origin: str) -> None:
    """Raise `ConfigError` for a key that is there twice: the last alone would count."""
    found: set[str] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(key, yaml.ScalarNode) and key.value in found:
            line = key.start_mark.line + 1
            raise ConfigError(
                f"{origin} has '{key.value}' twice, again in line {line}: remove one"
            )
        found |= {key.value} if isinstance(key, yaml.ScalarNode) else set()


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
