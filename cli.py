"""The command `pianoreel`. Each command imports what it needs inside itself: --help is quick."""

import sys

from core.training.interruption import exit_at_once

with exit_at_once():  # what follows needs a moment
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TYPE_CHECKING, Annotated, Any

    import typer
    from typer.core import TyperGroup

    from core.app.commands.command import OptionCommand
    from core.app.commands.failures import ErrorGroup
    from core.app.commands.group import group_of
    from core.app.commands.options import MAKE, Device, Json, Seed
    from core.app.commands.printing import open_streams, print_json, print_paths
    from core.app.commands.signals import ended_by_signals
    from core.app.progress import ticking
    from core.errors import ConfigError, UserError
    from core.files import temporary_folder
    from core.ring.commands import RingCommands
    from musegen.commands.group import MusicCommands
    from musegen.voice.commands import VoiceCommands
    from videogen.commands.group import VideoCommands
    from videogen.commands.options import Enlarger, Resize, Scale

if TYPE_CHECKING:
    from core.app.domain import Domain
    from gallery.composer import Composer
    from musegen.files.audio import Audio


def _music_of(run: str | None, seconds: float, seed: int, device: str) -> "Audio":
    """Compose music for a clip."""
    from musegen.composition.soundtrack import compose_seconds

    return compose_seconds(run, seconds, seed, device).sound


DOMAINS = MusicCommands(), VideoCommands(_music_of), VoiceCommands(), RingCommands()
"""The domains; a new one is added here."""

GROUPS = "Make, steer, measure, learn"
MODELS = "The models and their papers"
MACHINE = "This machine"
"""The panels of the help."""

TABLE_WIDTH = 110
"""Columns that the list of models needs: with fewer, the names of terms are cut."""

SEEDS = 3
"""Trainings of each model for the report."""


class _Door(ErrorGroup):
    """The whole command, whose help lists groups before single commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: not isinstance(self.commands[name], TyperGroup))


app = typer.Typer(
    cls=_Door,
    help="Make music, voices and clips with deep generative models that you train on your files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _own in DOMAINS:
    app.add_typer(group_of(_own), name=_own.name, rich_help_panel=GROUPS)


def main() -> None:
    """The entry point of the command."""
    with ended_by_signals():
        open_streams()
        app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pianoreel {version('pianoreel')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command(cls=OptionCommand, rich_help_panel=MODELS)
def models(
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for models.md and ring.png, which show each model on a ring of "
            "eight Gaussians. Takes hours; repeat the command to resume."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many times each model is trained for the report.", show_default="3"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Train only this model for the report; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """List the models with their terms and papers, and the presets of every domain.

    pianoreel models --report docs/models --seeds 3
    """
    if report:
        print_paths(_report(report, seeds or SEEDS, model or []), json)
        return
    if model or seeds:
        raise ConfigError("--model and --seeds are for --report: give its folder with them")
    from rich import box
    from rich.table import Table

    from core.app.evaluation import print_tables

    if json:
        print_json({"models": _models(), "presets": _presets()})
        return
    table = Table("model", "terms", "first author", "remark", box=box.SIMPLE)
    for one in _models():
        by = f"{one['authors'].split(',')[0]} {one['year']}"
        table.add_row(one["name"], one["terms"], by, one["remark"])
    presets = Table("preset", "purpose", "expected result", "cost", box=box.SIMPLE)
    for one in _presets():
        name = f"{one['domain']} {one['name']}"
        presets.add_row(name, one["purpose"], one["expected"], one["cost"])
    print_tables((table, presets), TABLE_WIDTH)


def _models() -> list[dict[str, Any]]:
    """Return the models: their terms, papers and remarks."""
    from core.app.domain import recipes_of
    from core.theory.terms import describe

    return [
        {
            "name": name,
            "terms": " + ".join(map(describe, recipe.terms)),
            "authors": recipe.paper.authors,
            "title": recipe.paper.title,
            "year": recipe.paper.year,
            "remark": recipe.remark,
        }
        for name, recipe in recipes_of(_domains()).items()
    ]


def _presets() -> list[dict[str, str]]:
    """Return the presets of every domain."""
    return [
        {
            "domain": domain.name,
            "name": name,
            "purpose": preset.purpose,
            "expected": preset.expected,
            "cost": preset.cost,
        }
        for domain in _domains()
        for name, preset in domain.presets.items()
    ]


def _report(to: Path, seeds: int, models: list[str]) -> Iterator[Path]:
    import torch

    from core.ring.benchmark import adapting, on_the_ring, survey, write
    from core.wording import nearest

    known = [*on_the_ring(), *adapting()]
    for model in models:
        if model not in known:
            raise ConfigError(f"the report has no model '{model}': {nearest(model, known)}")
    names, stored = models or known, to / "results"
    torch.set_num_threads(1)  # small matrices: several commands with --model share the work
    with ticking("learning the ring") as tick:
        for _ in survey(names, range(seeds), stored, tick):
            pass
    yield from write(range(seeds), stored, to)


@app.command(cls=OptionCommand, rich_help_panel=MAKE)
def reel(
    captions: Annotated[list[str], typer.Argument(metavar="CAPTION...", show_default=False)],
    to: Annotated[Path, typer.Option(help="The film, .mp4 or .webm.")] = Path("reel.mp4"),
    run: Annotated[
        str | None,
        typer.Option(help="The run that makes the clips; by default, the shipped weights."),
    ] = None,
    music_run: Annotated[
        str | None, typer.Option(help="The run that composes; by default, the shipped weights.")
    ] = None,
    bars_per_clip: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Bars of music for each clip.",
            show_default="about as many as a clip lasts",
        ),
    ] = None,
    tempo_bpm: Annotated[
        float | None,
        typer.Option(min=10, max=400, help="Beats per minute.", show_default="the song's own"),
    ] = None,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Frames per second.")] = 24.0,
    scale: Scale = None,
    resize: Resize = None,
    enlarger: Enlarger = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another film of that name.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make a film from several sentences: a clip of each, cut on the bars of a new song.

    pianoreel reel "A small red circle is moving in a zigzag path towards north" "A large blue
    square is moving in a straight line towards east" --to film.mp4

    pianoreel reel "a dog runs" "a cat sleeps" --run runs/mine --bars-per-clip 2 --to film.mp4
    """
    from core.wording import counted
    from musegen.composition.soundtrack import BAR_SECONDS, compose_bars
    from videogen.model import Model
    from videogen.rendering.enlargement import Enlargement
    from videogen.rendering.output import ClipOutput
    from videogen.rendering.reel import Reel, format_of

    model, size = Model.load(run, device), Enlargement(scale, resize)
    form = {"enlarger": enlarger, "overwrite": overwrite}
    where = ClipOutput(to.parent, format_of(to), size, **form).of(model)
    model.warn_of(captions)
    bars = bars_per_clip or max(1, round(model.spec.seconds / BAR_SECONDS))
    track = compose_bars(music_run, bars * len(captions), seed, device, tempo_bpm)
    film = Reel(captions, track.bar_seconds[::bars], fps, seed)
    label = film.label(to.stem, model, f"{counted(bars, 'bar')} of each", track.origin)
    where.require_free(label)
    where.create()
    with ticking("filming") as tick:
        scenes = film.scenes(model, tick)
    print_paths(film.write(scenes, track.sound, label, where), json)


@app.command(cls=OptionCommand, rich_help_panel=MAKE)
def gallery(
    folder: Annotated[Path, typer.Argument(help="A folder with songs, clips, evaluations.")],
    to: Annotated[Path, typer.Option(help="Folder for index.html and its files.")] = Path("page"),
    title: Annotated[
        str, typer.Option(help="Heading of the page.", show_default="the folder's name")
    ] = "",
    composer: Annotated[
        Path | None,
        typer.Option(
            help="Folder of onnxruntime-web, with which the page also composes new songs in "
            "the browser. See docs/export.md."
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Also replace files that belong to no such page."),
    ] = False,
    json: Json = False,
) -> None:
    """Make a page of results: songs that play as piano rolls, clips, tables.

    It opens from your disk and on any web host, and loads nothing from elsewhere.

    pianoreel gallery songs --to page

    pianoreel gallery demo --to page --title "Songs and clips"
    """
    from gallery.page import write_gallery

    composing = _composer(composer) if composer else None
    print_paths(write_gallery(folder, to, title, composing, overwrite), json)


def _composer(runtime: Path) -> "Composer":
    """Export the shipped model that composes all bars at once, for a page."""
    from gallery.composer import Composer, runtime_files
    from musegen.graphs.page import facts_of
    from musegen.model import Model

    runtime_files(runtime)  # where they are missing nothing need be exported
    model = Model.load("latent_musegan", "cpu")
    with ticking("exporting the model"), temporary_folder() as folder:
        model.export(path := folder / "songs.onnx")
        facts = facts_of(model.name, model.spec, model.graph())
        return Composer(path.read_bytes(), facts, runtime)


@app.command(cls=OptionCommand, rich_help_panel=MODELS)
def export(
    run: Annotated[
        str, typer.Argument(help="A run's folder, or shipped weights such as lookback_rnn.")
    ],
    to: Annotated[Path, typer.Option(help="The file: .onnx, .pt (torchscript) or .safetensors.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="onnx, torchscript or safetensors.",
            show_default="that of the file's name",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another file of that name.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a model's generator, or its weights, as one file for other programs.

    A generator is written only if it gives the same output as the model. docs/export.md names its
    inputs and outputs.

    pianoreel export shapes --to shapes.onnx

    pianoreel export runs/mine --to mine.safetensors
    """
    from core.app.domain import find_domain
    from core.exchange.export import format_of, require_free

    form = format_of(to, form)
    require_free(to, overwrite)
    model = find_domain(_domains(), run).open_run(run, "cpu")
    error = model.export(to, form, overwrite)
    report = {"path": str(to), "format": form, "model": model.name, "largest_error": error}
    if json:
        print_json(report)
        return
    print(to)
    if error is not None:
        print(f"largest difference from the model: {error:.2g}")


def _domains() -> "list[Domain]":
    """Return every domain."""
    return [own.domain() for own in DOMAINS]


@app.command(cls=OptionCommand, rich_help_panel=MAKE)
def studio(
    folder: Annotated[Path, typer.Argument(help="Folder that keeps what you make.")] = Path(
        "my-studio"
    ),
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of your runs.", show_default="FOLDER/runs"),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. For any but 127.0.0.1 the page asks for a token, which "
            "is printed."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 7860,
) -> None:
    """Open the studio: make songs and clips, train and compare models in your browser.

    pianoreel studio

    pianoreel studio --runs comparison/runs
    """
    try:
        from studio.folder import StudioFolder
        from studio.page import serve
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("core", "musegen", "videogen", "studio"):
            raise
        raise UserError(
            f'the studio needs {error.name}: pip install "pianoreel[studio]"'
        ) from error
    serve(StudioFolder.of(folder, runs), host, port)


@app.command(cls=OptionCommand, rich_help_panel=MODELS)
def cite(
    name: Annotated[
        str,
        typer.Argument(
            help="A model's name, as `models` lists it, shipped weights, or a run's folder."
        ),
    ],
) -> None:
    """Print the BibTeX of a model's paper, as in: pianoreel cite wgan_gp."""
    from core.app.domain import find_recipe

    print(find_recipe(_domains(), name).paper.bibtex)


@app.command(cls=OptionCommand, rich_help_panel=MACHINE)
def doctor(json: Json = False) -> None:
    """Print versions, devices and limits.

    If something is wrong, say how to repair it, and exit with status 1.
    """
    from core.app import doctor as machine

    faults = list(machine.faults())
    limits = [kind for own in DOMAINS for kind in own.limits().items()]
    report = {
        "versions": machine.versions(name for own in DOMAINS for name in own.libraries),
        **({} if faults else {"devices": machine.devices()}),
        **{f"limits of one {kind}": machine.describe(one) for kind, one in limits},
        **({} if faults else {"sound": _sound()}),
    }
    if json:
        print_json({**report, "faults": faults})
    else:
        for title, rows in report.items():
            _section(title, rows)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    raise typer.Exit(int(bool(faults)))


def _sound() -> dict[str, str]:
    """Return the soundfont that songs are played with."""
    from musegen.files.sound import SOUNDFONT

    return {"soundfont": str(SOUNDFONT)}


def _section(title: str, rows: dict[str, str]) -> None:
    print(title)
    for name, value in rows.items():
        print(f"  {name:18} {value}")


if __name__ == "__main__":
    main()
