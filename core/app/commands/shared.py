"""The commands that every domain has, each a function of the domain's own part of it.

What a domain lends to a command, such as `read` or `output`, stands before the options.
"""

import os
import shlex
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.app.commands.domain import DomainCommands
from core.app.commands.options import (
    Against,
    Arguments,
    Back,
    Beside,
    ConfigFile,
    Device,
    DryRun,
    Files,
    FilesToTranslate,
    Folder,
    Jobs,
    Json,
    Minutes,
    MinutesEach,
    ModelName,
    Models,
    Other,
    PointCount,
    Preset,
    Report,
    RunArgument,
    RunFolder,
    SampleCount,
    Seed,
    Set,
    Start,
    Steps,
    StepsEach,
    Strength,
    StrictOption,
    TrainingSeed,
    Translator,
)
from core.app.commands.printing import counts_of, print_config, print_json, print_paths
from core.app.output import Output
from core.app.progress import counting, monitored, ticking
from core.files import require_different
from core.launch import is_first

if TYPE_CHECKING:
    from core.app.latent_commands import Reader


def prepare(
    own: DomainCommands,
    read: Callable[..., Any],
    jobs: Jobs = None,
    strict: StrictOption = False,
    json: Json = False,
) -> None:
    """Read {items} into a collection to train on.

    Each file is kept, or listed in TO/rejects.jsonl with a reason. Repeat the command to resume.
    """
    with ticking("reading") as tick:
        summary = read(jobs=jobs or os.cpu_count() or 1, tick=tick)
    if json:
        print_json(counts_of(summary))
    else:
        print("\n".join(summary.lines))
    raise typer.Exit(int(strict and bool(summary.rejects)))


def train(
    own: DomainCommands,
    open_data: Callable[..., Any],
    options: Callable[[], list[str]],
    to: RunFolder,
    model: ModelName = None,
    preset: Preset = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: TrainingSeed = None,
    other: Other = None,
    start: Start = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: Set = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a model. Ctrl-C saves and stops; repeat the command to resume.

    --from starts from the weights of another run, to continue with other data or settings.

    Settings come from the preset; --config overrides them, then options, then --set.
    """
    from core.app import fit
    from core.yaml_files import read_yaml

    domain = own.domain()
    data = open_data(preset=preset or domain.default_preset)
    second = own.open_other(other, data) if other else None
    seeds = [] if seed is None else [f"train.seed={seed}"]
    assignments = [*options(), *budget(steps, minutes), *seeds, *(settings or [])]
    file = read_yaml(config) if config else None
    if dry_run:
        configured = fit.configure(domain, data, model, preset, assignments, second, file)
        if is_first():
            print_config(configured)
        return
    with monitored() as monitor:
        trained = fit.train(
            domain, data, to, model, preset, device, assignments, second, file, monitor, start
        )
    if not is_first():
        return
    if json:
        print_json({"run": str(to)})
    else:
        print(f"trained: {to}; {own.use(trained, shlex.quote(str(to)))}")


def sample(
    own: DomainCommands,
    draw: Callable[..., Iterable[Path]],
    output: Callable[..., Output],
    to: Folder = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Sample {items} and write them."""
    where = output(to or Path(own.items), device)
    print_paths(draw(to=where, seed=seed, device=device), json)


def evaluate(
    own: DomainCommands,
    complete: Callable[..., Any],
    run: RunArgument = None,
    against: Against = None,
    beside: Beside = None,
    other: Other = None,
    count: SampleCount = 256,
    seed: Seed = 0,
    to: Report = None,
    json: Json = False,
    device: Device = "auto",
) -> None:
    """Compare samples with real {items} and with chance. Without RUN: the shipped weights."""
    from core.files import create_folder

    domain = own.domain()
    named = (run, *(beside or []))
    runs = [Path(one or domain.default_run) for one in named]
    require_different((run.resolve().name, run) for run in runs)
    subjects = [domain.subject(one, device) for one in named]
    data = domain.open(against) if against else domain.data_of(subjects[0])
    second = own.open_other(other, data) if other else None
    if to:
        create_folder(to)
    with counting("measuring") as tasks:
        measured = domain.evaluate(subjects, data, count, seed, second, tasks)
    evaluation = complete(evaluation=measured)
    evaluation.print(json)
    if to:
        evaluation.write(to)


def compare(
    own: DomainCommands,
    open_data: Callable[..., Any],
    to: Annotated[Path, typer.Option(help="Folder for the runs, the tables and the picture.")],
    models: Models = None,
    preset: Preset = None,
    steps: StepsEach = None,
    minutes: MinutesEach = None,
    count: SampleCount = 256,
    seed: Seed = 0,
    other: Other = None,
    device: Device = "auto",
    settings: Set = None,
    json: Json = False,
) -> None:
    """Train models for the same time on the same {items}, and measure them side by side.

    Repeat the command to resume.
    """
    from core.app import comparison

    domain = own.domain()
    data = open_data(preset=preset or domain.default_preset)
    second = own.open_other(other, data) if other else None
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]
    comparison.compare(
        domain,
        data,
        to,
        models or [],
        preset,
        device,
        assignments,
        second,
        count,
        seed,
        json,
    )


def interpolate(
    own: DomainCommands,
    reader: Callable[..., "Reader"],
    output: Callable[..., Output],
    arguments: Arguments,
    points: PointCount = 9,
    to: Folder = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make {items} on the way from one {item} to another, in equal steps through latent space.

    An ITEM is {points}.
    """
    from core.app import latent_commands

    domain = own.domain()
    model, (first, last) = latent_commands.open_with_arguments(domain, arguments, 2, device)
    read, where = reader((first, last)), output(to or Path(own.items), device)
    written = latent_commands.interpolate(model, first, last, points, where, seed, read)
    print_paths(written, json)


def arithmetic(
    own: DomainCommands,
    reader: Callable[..., "Reader"],
    output: Callable[..., Output],
    arguments: Arguments,
    to: Folder = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Add to C what A has and B has not: A - B + C in latent space.

    An ITEM is {points}.
    """
    from core.app import latent_commands

    model, texts = latent_commands.open_with_arguments(own.domain(), arguments, 3, device)
    read, where = reader(texts), output(to or Path(own.items), device)
    print_paths(latent_commands.arithmetic(model, texts, where, seed, read), json)


def reconstruct(
    own: DomainCommands,
    reader: Callable[..., "Reader"],
    output: Callable[..., Output],
    files: Files,
    to: Folder = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Encode and decode your own {items}, to hear or see what the model makes of them."""
    from core.app import latent_commands

    model, names = latent_commands.open_with_arguments(own.domain(), files, None, device)
    paths = [Path(name) for name in names]
    require_different((path.stem, path) for path in paths)
    read, where = reader(names), output(to or Path(own.items), device)
    written = (latent_commands.reconstruct(model, path, where, seed, read) for path in paths)
    print_paths(chain.from_iterable(written), json)


def vary(
    own: DomainCommands,
    reader: Callable[..., "Reader"],
    output: Callable[..., Output],
    arguments: Arguments,
    strength: Strength = 0.3,
    keep: Annotated[
        str,
        typer.Option(
            help="The part of the latents that stays, for a model whose latents have named parts.",
            show_default="nothing",
        ),
    ] = "",
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many variations.")] = 4,
    to: Folder = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make variations of a {item}.

    An ITEM is {points}.
    """
    from core.app import latent_commands

    model, (text,) = latent_commands.open_with_arguments(own.domain(), arguments, 1, device)
    read, where = reader([text]), output(to or Path(own.items), device)
    written = latent_commands.vary(model, text, strength, count, where, seed, keep, read)
    print_paths(written, json)


def translate(
    own: DomainCommands,
    reader: Callable[..., "Reader"],
    output: Callable[..., Output],
    run: Translator,
    files: FilesToTranslate,
    back: Back = False,
    to: Folder = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Translate {items} of one collection into the style of another."""
    from core.app import latent_commands

    require_different((path.stem, path) for path in files)
    model = own.domain().open_run(run, device)
    read, where = reader([str(path) for path in files]), output(to or Path(own.items), device)
    written = (latent_commands.translate(model, path, where, back, read) for path in files)
    print_paths(chain.from_iterable(written), json)


def budget(steps: int | None, minutes: float | None) -> list[str]:
    """Return the assignments (`key=value`) of a budget that replaces the preset's.

    With both, training ends at whichever comes first.
    """
    if steps is None and minutes is None:
        return []
    asked = {"steps": steps, "minutes": minutes}
    return [f"train.{name}={'null' if value is None else value}" for name, value in asked.items()]
