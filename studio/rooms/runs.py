"""The room of runs: all of a folder side by side."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from core.app.domain import Domain
from core.errors import ConfigError, UserError
from core.exchange.curves import is_finite
from core.training.run import Run, flatten
from studio import child
from studio.components.curves import curves
from studio.components.fields import offer
from studio.components.markup import empty, escaped, table
from studio.components.messages import ASIDE, answering, state, state_line
from studio.folder import StudioFolder, folders_in, read_json
from studio.rooms.models import collections_of, is_trained, learned_from
from studio.rooms.training import DOMAINS, samples_of

MOST_CHOSEN = 8
REPORT = "evaluation.json"
MEASURED = "evaluation"
"""The studio's folder of the newest measurement."""
SAMPLES = 64
"""Samples of each run that are measured."""
OF_TRAINING = "what they learned from"
LONGEST = 60
FOLLOWING = ("spec.", "data_sha256", "other_sha256")
"""Settings that are not the user's choice but follow from the data."""


class RunRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    def compare(self, chosen: list[str]) -> str:
        """Return curves, samples, evaluations and differing settings of the chosen runs."""
        if not chosen:
            return empty("No run yet. Train a model, and it is shown here.")
        runs = {name: Run(self.folder.run(name), {}) for name in chosen[:MOST_CHOSEN]}
        parts = [
            curves({name: run.metrics() for name, run in runs.items()}),
            "<h2>Last samples</h2>",
            f'<div class="side-by-side">{"".join(self._column(name) for name in runs)}</div>',
            _by_run("Evaluations", self.evaluations(list(runs))),
            self._picture(),
            _by_run("Settings that differ", differences(self._settings(list(runs)))),
        ]
        return "".join(parts)

    def _picture(self) -> str:
        """Return the picture of the newest measurement, where there is one."""
        path = self._measurement / "evaluation.png"
        if not path.is_file():
            return ""
        address = f"{self.folder.url(path)}?{path.stat().st_mtime_ns}"
        return f'<img class="measured" src="{address}" alt="Each measure beside real items">'

    def _column(self, name: str) -> str:
        drawn = samples_of(self.folder, self.folder.run(name), 1)
        return f"<section><h3>{escaped(name)}</h3>{drawn}</section>"

    def _settings(self, names: list[str]) -> dict[str, dict[str, Any]]:
        found = {}
        for name in names:
            try:
                found[name] = flatten(Run.read(self.folder.run(name)).config)
            except UserError:  # begun, and not yet written
                found[name] = {}
        return found

    def evaluations(self, names: list[str]) -> dict[str, dict[str, str]]:
        """Return the measures of runs in the reports that lie with them: {measure: {run: value}}.

        Also those of a comparison, whose report lies beside its folder of runs, and of the
        newest measurement in the studio.
        """
        table: dict[str, dict[str, str]] = {}
        for name in names:
            places = sorted(self.folder.run(name).glob(f"**/{REPORT}"))
            for path in (*places, self.folder.runs.parent / REPORT, self._measurement / REPORT):
                for measure, value in _measured(path, name):
                    table.setdefault(measure, {}).setdefault(name, value)
        return {
            measure: {name: row.get(name, "") for name in names} for measure, row in table.items()
        }

    @property
    def _measurement(self) -> Path:
        return self.folder.root / MEASURED

    def measure(self, chosen: list[str], data: str) -> str:
        """Start to measure the runs beside each other and beside real items; return the state."""
        runs = [self.folder.run(name) for name in chosen[:MOST_CHOSEN]]
        domain = self._domain_of(chosen)
        beside = [text for run in runs[1:] for text in ("--beside", str(run))]
        against = self._against(domain, data, runs[0])
        ends = ["--count", str(SAMPLES), "--to", str(self._measurement)]
        child.launch(
            self._measurement, [domain.name, "evaluate", str(runs[0]), *beside, *against, *ends]
        )
        return state("measuring; Look again shows what is found")

    def _domain_of(self, names: list[str]) -> Domain:
        for domain in self._domains_of(names):
            return domain
        raise ConfigError("choose runs that are trained, all of songs or all of clips")

    def _domains_of(self, names: list[str]) -> list[Domain]:
        """Return the domain of runs that are trained; none where they have not one alone."""
        return [
            domain
            for domain in DOMAINS.values()
            if names and all(is_trained(self.folder, domain, name) for name in names)
        ]

    def _against(self, domain: Domain, data: str, run: Path) -> list[str]:
        """Return the option that names the collection: by default that of the run's digest."""
        if data != OF_TRAINING:
            return ["--against", str(self.folder.collection(data))]
        found = learned_from(self.folder, domain, run)
        return ["--against", str(found)] if found else []  # shapes are drawn; else it says so

    def layout(self) -> None:
        """Lay out the room within the page."""
        chosen = gr.CheckboxGroup([], label=f"Runs, at most {MOST_CHOSEN}", elem_id="runs-chosen")
        with gr.Row(elem_classes="deeds"):
            with gr.Column(min_width=140):
                gr.Markdown("Runs go on while you look at them.")
                look = gr.Button("Look again", size="sm")
            with gr.Column(min_width=200):
                data = gr.Dropdown([OF_TRAINING], value=OF_TRAINING, label="Measured against")
                measure = gr.Button("Measure them", size="sm")
        line = state_line("runs-state")
        shown = gr.HTML("", apply_default_css=False)
        fields, answers = [chosen, data], [chosen, data, shown, line]
        chosen.change(answering(self.choose), fields, [data, shown], **ASIDE)
        look.click(answering(self.refresh), fields, answers, **ASIDE)
        measure.click(answering(self.measure), fields, line, **ASIDE)
        self.on_entry = (answering(self.refresh), fields, answers)

    def choose(self, chosen: list[str], data: str) -> tuple[Any, str]:
        """Return what the chosen runs can be measured against, and what is shown of them."""
        own = [
            name
            for domain in self._domains_of(chosen)
            for name in collections_of(self.folder, domain)
        ]
        return offer([OF_TRAINING, *own], data), self.compare(chosen)

    def refresh(self, chosen: list[str], data: str) -> list[Any]:
        """Return the runs that are there, what is shown of them, and what a measurement says."""
        names = folders_in(self.folder.runs)
        kept = [name for name in chosen if name in names] or names[:MOST_CHOSEN]
        said = child.last_lines(self._measurement)[-1:] if self._measurement.is_dir() else []
        shown = gr.update(choices=names, value=kept)
        return [shown, *self.choose(kept, data), state(" ".join(said))]


def _measured(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the numbers of a run's row in a report."""
    rows = read_json(path, {}).get("rows")
    table = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    row = next((row for row in table if row.get("name") == name), {})
    for measure, value in flatten(row).items():
        if is_finite(value) and not isinstance(value, bool):
            yield measure, f"{value:.4g}"


def differences(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the settings in which runs differ: {setting: {run: value}}.

    >>> differences({"a": {"seed": 1, "rate": 2}, "b": {"seed": 1, "rate": 3}})
    {'rate': {'a': '2', 'b': '3'}}
    """
    keys = dict.fromkeys(key for one in settings.values() for key in one)
    rows = {key: {name: _short(one.get(key)) for name, one in settings.items()} for key in keys}
    return {
        key: row
        for key, row in rows.items()
        if len(set(row.values())) > 1 and not key.startswith(FOLLOWING)
    }


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _by_run(title: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    """Return values by run as a table."""
    names = list(next(iter(rows.values()), {}))
    return table(title, ["of", *names], [[key, *row.values()] for key, row in rows.items()])
