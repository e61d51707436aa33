"""The command `pianoreel`. Each command imports what it needs inside itself: --help is quick.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped but resumable,
130 interrupted, 143 terminated. PIANOREEL_DEBUG=1 shows the traceback of a failure.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup


class Clear(TyperGroup):
    """A group of commands whose failures are one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except Exception as error:
            code = _exit_code(error)
            if code is None or os.environ.get("PIANOREEL_DEBUG") == "1":
                raise
            print(f"error: {_sentence(error)}", file=sys.stderr)
            raise typer.Exit(code) from error


def _exit_code(error: Exception) -> int | None:
    """The exit code of a failure; None where typer itself knows what to do."""
    if type(error).__module__.startswith("typer") or isinstance(error, BrokenPipeError):
        return None
    from core.config import UserError

    return error.exit_code if isinstance(error, UserError) else 1


def _sentence(error: Exception) -> str:
    from core.config import UserError

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if type(error).__name__ == "OutOfMemoryError":
        return "the device has too little memory: lower the batch with --set train.batch_size=N"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{said} (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)"


Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set any key of the configuration; repeatable."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]

app = typer.Typer(
    cls=Clear,
    help="Make music with deep generative models that you train on your own files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
music = typer.Typer(help="Songs: prepare, train, sample, evaluate.", no_args_is_help=True)
app.add_typer(music, name="music")


def main() -> None:
    """The entry point of the command."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
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
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    pass


@app.command()
def models() -> None:
    """List the models with their statements and papers, and the presets of music."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from core.recipes import RECIPES
    from musegen.presets import PRESETS

    table = Table("model", "statements", "first author", "remark", box=box.SIMPLE)
    for name, recipe in RECIPES.items():
        statements = " + ".join(map(_statement, recipe.terms))
        first = recipe.paper.authors.split(",")[0]
        table.add_row(name, statements, f"{first} {recipe.paper.year}", recipe.remark)
    presets = Table("preset", "what for", "cost", box=box.SIMPLE)
    for name, preset in PRESETS.items():
        presets.add_row(name, preset.caption, preset.cost)
    console = Console()
    console.print(table, presets)


def _statement(term: Any) -> str:
    """A term as one reads it: 4 Match(z, KL)."""
    by = getattr(term, "by", None)
    how = getattr(by, "game", None) or type(by)
    inside = f"{term.space}, {how.__name__}" if by else term.space
    weight = "" if term.weight == 1 else f"{term.weight:g} "
    return f"{weight}{type(term).__name__}({inside})"


@app.command()
def cite(
    name: Annotated[str, typer.Argument(help="A model's name, as `models` lists it.")],
) -> None:
    """Print a model's BibTeX, as in: pianoreel cite wgan_gp."""
    from core.recipes import recipe

    print(recipe(name).paper.bibtex)


@app.command()
def doctor() -> None:
    """Print versions, devices and limits, and what mends parts that do not fit (then exits 1)."""
    from core import doctor as machine
    from musegen.render import SOUNDFONT

    faults = list(machine.faults())
    _section("versions", machine.versions())
    if not faults:
        _section("devices", machine.devices())
    _section("limits of one source file", machine.limits())
    _section("sound", {"soundfont": str(SOUNDFONT)})
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    raise typer.Exit(int(bool(faults)))


@music.command()
def prepare(
    to: Annotated[Path, typer.Option(help="Folder to write the prepared collection to.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, files, patterns, .zip or .tar.gz of MIDI.", show_default=False
        ),
    ] = None,
    tracks: Annotated[str, typer.Option(help="lakh, voices, quartet, or a YAML file.")] = "lakh",
    steps_per_beat: Annotated[int, typer.Option(min=1, help="12 keeps triplets.")] = 12,
    beats_per_bar: Annotated[int, typer.Option(min=1, help="Quarter notes of a bar.")] = 4,
    meter: Annotated[
        Literal["kept", "any"],
        typer.Option(help="kept: only bars of that metre. any: divide the beats of all anew."),
    ] = "kept",
    bars: Annotated[int, typer.Option(min=1, help="Bars of a phrase.")] = 4,
    hop: Annotated[int, typer.Option(min=1, help="Bars from one phrase to the next.")] = 1,
    min_tracks: Annotated[int, typer.Option(min=1, help="Tracks that sound in a phrase.")] = 3,
    lpd: Annotated[bool, typer.Option("--lpd", help="Read .npz of the Lakh Pianoroll.")] = False,
    band: Annotated[int | None, typer.Option(min=1, help="Songs by the band, no sources.")] = None,
    seed: Seed = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Reading processes.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where one is rejected.")
    ] = False,
    settings: Set = None,
) -> None:
    """Read songs into a collection to train on.

    Each file is kept, or named in TO/rejects.jsonl with its reason.
    The same command goes on where it was stopped.

    pianoreel music prepare ~/midi songs.zip --to data/mine

    pianoreel music prepare quartets/ --tracks quartet --min-tracks 2 --to data/quartets

    pianoreel music prepare --band 200 --to data/band
    """
    from rich.console import Console
    from rich.progress import Progress

    from core.config import ConfigError, override, resolve
    from musegen import data
    from musegen.tracks import track_list

    if bool(sources) == bool(band):
        raise ConfigError("give either SOURCES or --band N")
    chosen = {
        "grid": {"steps_per_beat": steps_per_beat, "beats_per_bar": beats_per_bar},
        "tracks": [track.model_dump(mode="json") for track in track_list(tracks)],
        "meter": meter,
        "bars": bars,
        "hop": hop,
        "min_tracks": min_tracks,
        "seed": seed,
    }
    config = resolve(data.PrepareConfig, override(chosen, settings or []), "music prepare")
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)

        def tick(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        workers = jobs or os.cpu_count() or 1
        if band:
            summary = data.prepare_band(band, to, config, jobs=workers, tick=tick)
        else:
            summary = data.prepare(sources or [], to, config, lpd=lpd, jobs=workers, tick=tick)
    print("\n".join(summary.lines))
    raise typer.Exit(int(strict and bool(summary.rejects)))


@music.command()
def train(
    data: Annotated[Path, typer.Argument(help="A collection, as `prepare` writes it.")],
    to: Annotated[Path, typer.Option(help="The run's folder; an unfinished run goes on.")],
    model: Annotated[
        str, typer.Option(help="musegan, notes, or one that `models` lists.")
    ] = "musegan",
    wiring: Annotated[
        Literal["composer", "jamming", "hybrid"] | None,
        typer.Option(help="Who hears which part of z."),
    ] = None,
    preset: Annotated[str, typer.Option(help="tiny, small (CPU) or base (GPU).")] = "small",
    steps: Annotated[int | None, typer.Option(min=1, help="Budget in steps.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Budget in minutes.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the configuration.")] = False,
) -> None:
    """Train a model. Ctrl-C saves and stops; the same command goes on.

    pianoreel music train data/mine --to runs/mine --minutes 60

    pianoreel music train data/mine --to runs/jam --model musegan --wiring jamming --preset base

    pianoreel music train data/mine --to runs/vae --model vae --set train.batch_size=32
    """
    import yaml

    from musegen.collection import Collection
    from musegen.model import configure
    from musegen.model import train as train_model

    collection = Collection.open(data)
    assignments = [*_budget(steps, minutes), f"train.seed={seed}", *(settings or [])]
    if dry_run:
        config = configure(collection, model, wiring, preset, assignments)
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return
    train_model(collection, to, model, wiring, preset, device, assignments)
    print(f"trained: {to}; hear it with pianoreel music sample {to} --to songs")


def _budget(steps: int | None, minutes: float | None) -> list[str]:
    """The budget that was asked for in place of the preset's; both: the first met ends the run."""
    if steps is None and minutes is None:
        return []
    asked = {"steps": steps, "minutes": minutes}
    return [f"train.{name}={'null' if value is None else value}" for name, value in asked.items()]


@music.command()
def sample(
    run: Annotated[
        str | None, typer.Argument(help="A run's folder; without it the weights that ship.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("songs"),
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Songs to make.")] = 8,
    seed: Seed = 0,
    bars: Annotated[int, typer.Option(min=1, max=1024, help="Bars of a song.")] = 16,
    tempo_bpm: Annotated[float, typer.Option(min=10, max=400, help="Beats a minute.")] = 120.0,
    npz: Annotated[bool, typer.Option("--npz", help="Also write .npz for pypianoroll.")] = False,
    soundfont: Annotated[Path | None, typer.Option(help="Your own .sf2 to play with.")] = None,
    device: Device = "auto",
) -> None:
    """Make songs: .mid, .wav and .png of each.

    pianoreel music sample --count 8 --seed 1 --to songs

    pianoreel music sample runs/mine --bars 32 --tempo-bpm 96 --to songs
    """
    from musegen.model import Model
    from musegen.render import write_song

    rolls = Model.load(run, device).sample(count, bars, seed, tempo_bpm)
    to.mkdir(parents=True, exist_ok=True)
    for roll in rolls:
        for path in write_song(roll, to, npz=npz, soundfont=soundfont):
            print(path)


@music.command()
def evaluate(
    against: Annotated[Path, typer.Option(help="The collection to measure against.")],
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of MIDI files."),
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=10_000, help="Phrases to sample.")] = 256,
    seed: Seed = 0,
    other: Annotated[
        Path | None, typer.Option(help="Another collection, measured beside it.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for evaluation.json and .png.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
    device: Device = "auto",
) -> None:
    """Measure made music beside real songs. Without RUN the weights that ship.

    pianoreel music evaluate runs/mine --against data/mine --to report

    pianoreel music evaluate songs/ --against data/mine --other data/chorales
    """
    from rich.console import Console

    from musegen import evaluation, scorecard
    from musegen.collection import Collection

    data = Collection.open(against)
    made = evaluation.made_phrases(subject, data, count, seed, device)
    beside = Collection.open(other) if other else None
    report = evaluation.evaluate(made, data, subject or "shipped weights", beside, seed)
    if json:
        print(report.json())
    else:
        console = Console()
        console.width = max(console.width, scorecard.WIDTH)
        console.print(*scorecard.tables(report))
    if to:
        to.mkdir(parents=True, exist_ok=True)
        (to / "evaluation.json").write_text(report.json(), encoding="utf-8")
        scorecard.draw_report(report, to / "evaluation.png")


def _section(title: str, rows: dict[str, str]) -> None:
    print(title)
    for name, value in rows.items():
        print(f"  {name:16} {value}")


if __name__ == "__main__":
    main()
