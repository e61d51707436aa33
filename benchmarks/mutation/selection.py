"""Tests by name, of files that a mutant may keep from being imported, or whose tests it renames.

python -m benchmarks.mutation.selection SELECTION [OPTIONS OF PYTEST]
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from benchmarks.mutation.executions import file_of


@dataclass(frozen=True)
class Selection:
    """A plugin of pytest that runs the tests of these names, in this order.

    The parameters of a test can follow from the code, and its name from them: where one of the
    names is not there, all tests of its function run.
    """

    names: Sequence[str]

    @property
    def files(self) -> list[str]:
        """Return the files of the tests, that of the first test first."""
        return list(dict.fromkeys(map(file_of, self.names)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        places = {name: place for place, name in enumerate(self.names)}
        absent = places.keys() - {item.nodeid for item in items}
        renamed = {_function_of(name): places[name] for name in absent}
        for item in items:
            if item.nodeid not in places and _function_of(item.nodeid) in renamed:
                places[item.nodeid] = renamed[_function_of(item.nodeid)]
        left_out = [item for item in items if item.nodeid not in places]
        items[:] = [item for item in items if item.nodeid in places]
        items.sort(key=lambda item: places[item.nodeid])
        config.hook.pytest_deselected(items=left_out)

    def write(self, path: Path) -> None:
        """Write the selection for a process of its own."""
        path.write_text(json.dumps(asdict(self)), "utf-8")

    def run(self, options: Sequence[str]) -> int:
        """Run the tests in this process; return pytest's exit code."""
        return pytest.main([*options, *self.files], plugins=[self])


def _function_of(name: str) -> str:
    return name.partition("[")[0]


if __name__ == "__main__":
    place, *options = sys.argv[1:]
    sys.exit(Selection(**json.loads(Path(place).read_text("utf-8"))).run(options))
