"""The room of training: start one, watch it, stop it and go on."""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio as gr

from core.app import fit
from core.app.domain import Domain
from core.config import resolve
from core.errors import ConfigError, UserError
from core.exchange.curves import is_finite
from core.training.forecast import Need, shortfall, steps_a_second, steps_in_all
from core.training.loop import Budget, TrainConfig
from core.training.run import Run
from core.wording import counted
from musegen.model import DOMAIN as MUSIC
from studio import child
from studio.components.curves import curves
from studio.components.fields import number, offer, whole, whole_field
from studio.components.markup import empty, escaped, in_page
from studio.components.messages import ASIDE, answering
from studio.folder import StudioFolder, folders_in, new_name
from studio.rooms.models import collections_of, names_of
from videogen.captioned_clips import find_data
from videogen.model import DOMAIN as VIDEO

DOMAINS: dict[str, Domain] = {"songs": MUSIC, "clips": VIDEO}
SHAPES = "moving shapes, drawn as they are needed"
NOTHING = "nothing, from the beginning"
MOST_MINUTES = 60 * 24 * 30
GO_ON, IN_ALL = "Go on", "Minutes in all"
HINTS = {
    "; sample from it with": "; choose it in Songs or Clips to make some",
    "; the same command resumes": f"; “{GO_ON}” resumes it",
}
"""The ends of a command's lines that speak of commands, and what the page says instead."""
TRIAL, DAY, FEW = 1.0, 24.0 * 60, 1000
"""Minutes of presets whose budget is in steps: of few of them, and of more."""
SECONDS = 4
"""Time between two looks at a run."""
SHOWN_SAMPLES = 4
LEAST_SECONDS = 1e-6
"""The least time that any steps take."""
NO_RUN = empty("No run yet. Choose what to learn from, and press Start.")


class TrainRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    # ---- what the buttons do

    def start(
        self,
        kind: str,
        data: str | None,
        model: str,
        preset: str,
        minutes: float,
        seed: float,
        begins: str,
        name: str,
    ) -> Any:
        """Start a training; return the runs, with this one chosen."""
        domain = DOMAINS[kind]
        if not name.strip():
            raise ConfigError("give the run a name")
        run = self.folder.runs / new_name(name, self.folder.runs, "config.yaml")
        opened, source = self._data(domain, data, preset)
        budget = f"{number('minutes', minutes, 0.01, MOST_MINUTES):g}"
        chosen = [
            "--model",
            model,
            "--preset",
            preset,
            "--seed",
            str(whole("seed", seed, 0, 2**53)),
        ]
        if begins != NOTHING:
            chosen += ["--from", str(self.folder.model(domain, begins))]
        fit.configure(domain, opened, model, preset, [f"train.minutes={budget}"])  # or refuse now
        child.start(
            run, [domain.name, "train", *source, "--to", str(run), *chosen, "--minutes", budget]
        )
        names = sorted({*folders_in(self.folder.runs), run.name})
        return gr.update(choices=names, value=run.name)

    def _data(self, domain: Domain, name: str | None, preset: str) -> tuple[Any, list[str]]:
        """Open what is learned from, and return it with the arguments that name it."""
        if name == SHAPES and domain is VIDEO:
            return find_data(None, True, False, preset), ["--shapes"]
        if not name:
            raise ConfigError("choose a collection: read some of your files first")
        folder = self.folder.collection(name)
        return domain.open(folder), [str(folder)]

    def stop(self, name: str | None) -> None:
        """Have a run saved and stopped."""
        child.stop(self.folder.run(name or ""))

    def go_on(self, name: str | None, minutes: float) -> None:
        """Go on with a run by the same command, with another budget.

        `ConfigError` for one that the run has used up.
        """
        run = self.folder.run(name or "")
        total = number("minutes", minutes, 0.01, MOST_MINUTES)
        command = child.command_of(run)
        if (used := budget_of(run)) and used.seconds >= 60 * total:
            raise ConfigError(
                f"{run.name} has learned for {used.seconds / 60:.3g} minutes: give more “{IN_ALL}”"
            )
        child.start(run, child.with_minutes(command, total))

    # ---- what is shown

    def view(self, name: str | None, before: str) -> tuple[Any, Any, str]:
        """Return the state of a run and its curves and samples; nothing where all is as before."""
        if not name or name not in folders_in(self.folder.runs):
            return "", NO_RUN, ""
        run = self.folder.run(name)
        now = _signature(run)
        if now == before:
            return gr.skip(), gr.skip(), now
        return status_of(run), progress_of(self.folder, run), now

    def expectation(self, *at: Any) -> str:
        """Return what a preset promises, how much a model needs, and what the time reaches."""
        kind, preset, model, _ = at
        known = DOMAINS[kind].presets[preset]
        need = known.need(model)
        steps = (
            f" It needs about {need.steps:,} steps until its {kind} can be recognised."
            if need.steps
            else ""
        )
        said = f"For {known.purpose}. Expect: {known.expected}.{steps} {self.reach(*at)}"
        return f'<p class="quiet">{escaped(said)}</p>'

    def reach(self, kind: str, preset: str, model: str, minutes: float | None) -> str:
        """Return how many steps the time will reach, at the pace of a run that was like it."""
        for name in folders_in(self.folder.runs):
            run = self.folder.runs / name
            rate = steps_a_second(budget) if (budget := budget_of(run)) else math.inf
            if minutes and trains_like(run, kind, preset, model) and rate < math.inf:
                steps = round(60 * minutes * rate)
                return f"At the pace of {name}, {minutes:g} minutes reach about {steps:,} steps."
        return "How many steps the time will reach is said as soon as it has begun."

    def data_names(self, domain: Domain) -> list[str]:
        """Return what a domain's models can learn from."""
        return [*collections_of(self.folder, domain), *([SHAPES] if domain is VIDEO else [])]

    def choices(self, kind: str, data: str | None, model: str | None, begins: str) -> list[Any]:
        """Return the data, the models and the runs to begin with, of songs or of clips."""
        domain = DOMAINS[kind]
        names = _model_names(domain)
        return [
            offer(self.data_names(domain), data),
            offer(names, model if model in names else None),
            offer([NOTHING, *names_of(self.folder, domain)], begins),
            gr.update(choices=sizes_of(domain)),
        ]

    def layout(self) -> None:
        """Lay out the room within the page."""
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                kind = gr.Radio(list(DOMAINS), value="songs", label="Learn to make")
                data = gr.Dropdown(
                    self.data_names(MUSIC), label="From the collection", elem_id="train-data"
                )
                model = gr.Dropdown(_model_names(MUSIC), label="Model")
                preset = gr.Radio(
                    sizes_of(MUSIC), value="small", label="Time and size", elem_id="train-size"
                )
                with gr.Row():
                    minutes = gr.Number(60, label="Minutes", min_width=90, elem_id="train-minutes")
                    seed = whole_field("Seed", 0)
                expected = gr.HTML(
                    self.expectation("songs", "small", MUSIC.default_model, 60),
                    apply_default_css=False,
                )
                begins = gr.Dropdown([NOTHING], value=NOTHING, label="Begin with the weights of")
                name = gr.Textbox("", label="Name of the run", max_lines=1, elem_id="run-name")
                start = gr.Button("Start", variant="primary", elem_id="start-training")
            with gr.Column(scale=3, min_width=320):
                with gr.Row(elem_classes="deeds"):
                    with gr.Column(min_width=140):
                        runs = gr.Dropdown([], label="Run", elem_id="train-run")
                        stop = gr.Button("Save and stop", size="sm")
                    with gr.Column(min_width=140):
                        more = gr.Number(120, label=IN_ALL, min_width=90)
                        go_on = gr.Button(GO_ON, size="sm")
                status = gr.HTML("", apply_default_css=False, elem_id="train-status")
                shown = gr.HTML("", apply_default_css=False)
        fields = [kind, data, model, begins]
        seen, timer = gr.State(""), gr.Timer(SECONDS)
        watch = (answering(self.view), [runs, seen], [status, shown, seen])
        started = start.click(
            answering(self.start),
            [kind, data, model, preset, minutes, seed, begins, name],
            runs,
            **ASIDE,
        )
        started.then(*watch, **ASIDE)
        stop.click(answering(self.stop), runs, **ASIDE).then(*watch, **ASIDE)
        go_on.click(answering(self.go_on), [runs, more], **ASIDE).then(*watch, **ASIDE)
        timer.tick(*watch, **ASIDE)
        runs.change(lambda: "", outputs=seen, **ASIDE).then(*watch, **ASIDE)
        chosen = [kind, preset, model, minutes]
        kind.change(answering(self.choices), fields, [*fields[1:], preset], **ASIDE)
        preset.input(answering(minutes_of), chosen[:3], minutes, **ASIDE)
        for one in (kind, preset, model, minutes):
            one.change(answering(self.expectation), chosen, expected, **ASIDE)
        self.on_entry = (answering(self.refresh), [runs, *fields], [runs, *fields[1:]])

    def refresh(self, chosen: str | None, *fields: Any) -> list[Any]:
        """Return what the room shows when it is entered."""
        names = folders_in(self.folder.runs)
        running = [name for name in names if child.is_running(self.folder.runs / name)]
        now = chosen if chosen in names else next(iter(running), None)
        return [offer(names, now), *self.choices(*fields)[:-1]]


def _model_names(domain: Domain) -> list[str]:
    """Return the recipes that learn from one collection of the domain, the usual one first."""
    found = [
        name
        for name, recipe in domain.recipes.items()
        if recipe.needs <= domain.offers and not recipe.other
    ]
    return sorted(found, key=lambda name: name != domain.default_model)


def _signature(run: Path) -> str:
    """Return what changes whenever there is something new to show of a run."""
    paths = (run / "metrics.jsonl", run / child.LOG, run / "samples")
    times = [path.stat().st_mtime_ns for path in paths if path.exists()]
    return f"{run.name} {child.is_running(run)} {times}"


def status_of(run: Path) -> str:
    """Return how far a run is, what its time will reach, and what its command said."""
    running = child.is_running(run)
    facts = ["being trained" if running else "not being trained"]
    facts += _forecast(run)
    said = "".join(f"<li>{escaped(_said(run, line))}</li>" for line in child.last_lines(run))
    state = escaped(f"{run.name}: {'; '.join(facts)}")
    return f'<p class="facts" role="status">{state}</p><ul class="said">{said}</ul>'


def _said(run: Path, line: str) -> str:
    """Return a line of a run's command in the words of the page."""
    end = next((end for end in HINTS if end in line), "")
    sentence = line.partition(end)[0] + HINTS[end] if end else line
    return in_page(sentence.replace(str(run), run.name))


def budget_of(folder: Path) -> Budget | None:
    """Return what a run has used of its budget; None where it has no steps or cannot be read."""
    try:
        run = Run.read(folder)
        config = resolve(TrainConfig, run.config["train"], "config.yaml")
        timed = [row for row in run.metrics() if _is_timed(row)]
    except UserError:
        return None
    return Budget(config, timed[-1]["step"], timed[-1]["seconds"]) if timed else None


def _is_timed(row: Mapping[str, Any]) -> bool:
    """Return whether a line of metrics says how long its steps took."""
    return row["step"] > 0 and is_finite(row.get("seconds")) and row["seconds"] > LEAST_SECONDS


def _forecast(run: Path) -> list[str]:
    """Return where a training is and will be at the end of its time, in words."""
    budget = budget_of(run)
    if budget is None:
        return []
    rate, total = steps_a_second(budget), steps_in_all(budget)
    left = math.ceil((total - budget.step) / rate / 60) if rate else 0
    warning = in_page(shortfall(budget, need_of(run)))
    return [
        f"step {budget.step:,} of about {total:,}",
        f"{rate:.3g} steps a second",
        *([f"about {counted(left, 'minute')} to go"] if left else []),
        *([warning] if warning else []),
    ]


def need_of(run: Path) -> Need:
    """Return what the model of a run needs, by the preset that its command names."""
    name, preset, model, begins = named_by(run)
    domain = next((one for one in DOMAINS.values() if one.name == name), None)
    if domain is None or begins or preset not in domain.presets:
        return Need()
    return domain.presets[preset].need(model)


def named_by(run: Path) -> tuple[str, str, str, str]:
    """Return domain, preset, model and start of a run's command; empty where it has none."""
    try:
        command = child.command_of(run)
    except UserError:
        return "", "", "", ""
    named = dict(pairwise(command))
    preset, model, begins = (named.get(key, "") for key in ("--preset", "--model", "--from"))
    return command[0], preset, model, begins


def trains_like(run: Path, kind: str, preset: str, model: str) -> bool:
    """Return whether a run is one of this preset and model."""
    return named_by(run)[:3] == (DOMAINS[kind].name, preset, model)


def sizes_of(domain: Domain) -> list[tuple[str, str]]:
    """Return the presets of a domain with the time that each is for."""
    return [(f"{name}: {preset.cost}", name) for name, preset in domain.presets.items()]


def minutes_of(kind: str, preset: str, model: str) -> float:
    """Return the minutes that a preset gives a model; about as many where it counts steps."""
    domain = DOMAINS[kind]
    train = domain.presets[preset].values(model, domain.recipes[model])["train"]
    return train["minutes"] or (TRIAL if train["steps"] < FEW else DAY)


def progress_of(folder: StudioFolder, run: Path) -> str:
    """Return the curves of a run, and its last samples."""
    rows = Run(run, {}).metrics()
    return curves({run.name: rows}) + samples_of(folder, run, SHOWN_SAMPLES)


def samples_of(folder: StudioFolder, run: Path, most: int) -> str:
    """Return the last samples that a run has drawn while it trained."""
    drawn = (run / "samples").glob("step-*.png")
    found = sorted(path for path in drawn if path.stem.rpartition("-")[2].isdecimal())[-most:]
    pictures = "".join(_sample(folder, run, path) for path in reversed(found))
    return f'<div class="samples">{pictures}</div>'


def _sample(folder: StudioFolder, run: Path, picture: Path) -> str:
    step = int(picture.stem.rpartition("-")[2])
    return (
        f'<figure><img loading="lazy" src="{folder.url(picture)}" alt="samples of '
        f'{escaped(run.name)}"><figcaption>step {step:,}{_first_song(folder, picture)}'
        f"</figcaption></figure>"
    )


def _first_song(folder: StudioFolder, picture: Path) -> str:
    """Return the link to the first song that a picture shows, where there is one."""
    midi = picture.with_suffix(".mid")
    return f' · <a download href="{folder.url(midi)}">.mid</a>' if midi.is_file() else ""
