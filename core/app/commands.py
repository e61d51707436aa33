"""The commands that every domain has, and what they share: options, clear failures, progress.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped but resumable,
130 interrupted, 143 terminated. PIANOREEL_DEBUG=1 shows the traceback of a failure.

A domain adds a `DomainCommands`: its examples, and functions whose options become options of the
shared commands. Nothing here imports torch before a command runs.
"""

import copy
import functools
import inspect
import logging
import os
import shlex
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin

import typer
from typer import BadParameter
from typer.core import TyperCommand, TyperGroup, TyperOption

from core.app.output import Output
from core.app.progress import monitored, ticking
from core.files import require_different
from core.launch import is_first, process_count

if TYPE_CHECKING:
    from core.app.domain import Domain
    from core.app.latent_commands import Reader
    from core.app.model import Model


FIRST_SPEAKS_SECONDS = 5.0
"""Time for the first of several processes to say why all end: torchrun ends them with the first
that ends."""


class _ToStderr(logging.Handler):
    """Prints messages of the library as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def print_messages() -> None:
    """Print what the library logs to stderr; of several processes the first does."""
    log = logging.getLogger("pianoreel")
    if not any(isinstance(handler, _ToStderr) for handler in log.handlers):
        log.addHandler(_ToStderr())
        log.setLevel(logging.INFO if is_first() else logging.ERROR)


HELP_WIDTH = 80
"""Columns that help has at least: with fewer, the names of options are cut."""


class WideHelp:
    """A command, or a group, whose help is as wide as its names need in a narrow terminal, too."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from typer import rich_utils

        if shutil.get_terminal_size().columns < HELP_WIDTH:
            rich_utils.MAX_WIDTH = HELP_WIDTH
        super().format_help(ctx, formatter)  # type: ignore[misc]  # of a command, or a group


class ErrorGroup(WideHelp, TyperGroup):
    """A group of commands whose failures are one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        print_messages()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except Exception as error:
            code = _exit_code(error)
            if code is None or os.environ.get("PIANOREEL_DEBUG") == "1":
                raise
            if _is_printed_by_first(error):
                time.sleep(FIRST_SPEAKS_SECONDS)
            else:
                print(f"error: {_sentence(error)}", file=sys.stderr)
            raise typer.Exit(code) from error


def _is_printed_by_first(error: Exception) -> bool:
    """Return whether the first of several processes prints the same."""
    from core.errors import ConfigError, Stopped, UserError

    shared = isinstance(error, ConfigError | Stopped) or (
        isinstance(error, UserError) and error.printed_by_first
    )
    return shared and not is_first()


class OptionCommand(WideHelp, TyperCommand):
    """A command of which no option takes the name of another for its value."""

    def invoke(self, ctx: Any) -> Any:
        if process_count() > 1 and self.name != "train":
            from core.errors import ConfigError

            raise ConfigError(f"torchrun is for train alone: start {self.name} without it")
        return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = [one for one in self.get_params(ctx) if isinstance(one, TyperOption)]
        if not ctx.resilient_parsing:  # a shell asks what can follow
            require_values(options, args)
        try:
            return super().parse_args(ctx, args)
        except BadParameter as fault:
            from core.config import plain

            fault.message = plain(fault.message)
            raise


def require_values(options: Sequence[TyperOption], arguments: Sequence[str]) -> None:
    """Raise `ConfigError` where an option is followed by another, or by too few values."""
    from core.errors import ConfigError

    named = {name: one for one in options for name in (*one.opts, *one.secondary_opts)}
    left = list(arguments)
    while left and (name := left.pop(0)) != "--":
        if name not in named or named[name].is_flag:
            continue
        option, values = named[name], list[str]()
        while left and len(values) < option.nargs and left[0] not in named:
            values.append(left.pop(0))
        if len(values) < option.nargs:
            wanted = "a value" if option.nargs == 1 else f"{option.nargs} values"
            found = f" and has 1, {values[0]}" if values else ""
            raise ConfigError(f"{name} needs {wanted}{found}: {option.help}")


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of a failure; None where typer handles it itself."""
    if type(error).__module__.startswith("typer") or isinstance(error, BrokenPipeError):
        return None
    from core.errors import Resumable, UserError

    if isinstance(error, UserError):
        return error.exit_code
    from core.files import is_full

    return Resumable.exit_code if is_full(error) else 1


def _sentence(error: Exception) -> str:
    from core.errors import UserError

    if isinstance(error, UserError):
        return str(error)
    from core.files import is_full

    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no {error.filename}: put it there, or correct its path"
    if isinstance(error, OSError) and (error.strerror or is_full(error)):
        name, said = error.filename2 or error.filename, error.strerror or str(error)
        said = f"{said}: {name}" if name else said
        return f"{said}: make room, and give the command once more" if is_full(error) else said
    from core.training.memory import is_out_of_memory  # whoever runs out of it has loaded torch

    if is_out_of_memory(error):
        return (
            "there is too little memory: ask for less at once; in a training lower the batch with "
            "--set train.batch_size=N"
        )
    if isinstance(error, ImportError | OSError):
        from core.app.doctor import faults

        if fault := next(faults(), None):
            return fault
    message = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{message} (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)"


LARGEST_SEED = 2**63 - 1

LEARN, MAKE, MEASURE, STEER = "Learn", "Make", "Measure", "Steer"
"""The panels of commands in the help of a group."""
FILES, BUDGET, CONFIGURATION = "Files to write", "Budget", "Configuration"
"""The panels of options in the help of a command."""

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any key of the configuration; repeatable.",
        rich_help_panel=CONFIGURATION,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="A YAML file of settings, such as a run's config.yaml.",
        rich_help_panel=CONFIGURATION,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same result.")
]
TrainingSeed = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same run (default 0)."),
]
ModelName = Annotated[
    str | None, typer.Option("--model", help="A model by its name: see `pianoreel models`.")
]
Preset = Annotated[str | None, typer.Option(help="tiny, small (CPU) or base (GPU).")]
Steps = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Budget in steps; with --minutes, training ends at whichever comes first.",
        rich_help_panel=BUDGET,
    ),
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Budget in minutes.", rich_help_panel=BUDGET)
]
MinutesEach = Annotated[
    float | None,
    typer.Option(
        "--minutes", min=0, help="Budget of each model in minutes.", rich_help_panel=BUDGET
    ),
]
StepsEach = Annotated[
    int | None,
    typer.Option(
        "--steps",
        min=1,
        help="Budget of each model in steps; with --minutes, whichever comes first.",
        rich_help_panel=BUDGET,
    ),
]
RunFolder = Annotated[
    Path, typer.Option("--to", help="Folder of the run; the same command resumes it.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the configuration and train nothing.",
        rich_help_panel=CONFIGURATION,
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Processes that read files (default: one for each core).")
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="K/N",
        help="Read only part K of N, such as 3/8, while other machines read the other parts. "
        "When all are read, repeat the command without it to make the collection.",
    ),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a file is rejected.")]
PointCount = Annotated[
    int, typer.Option("--points", min=2, max=1000, help="How many points, both ends included.")
]
Strength = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="How far from the original: 0 is the original, 1 is unrelated to it."
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--from", help="Begin with the weights of this run, or of a shipped model."),
]
Other = Annotated[
    str | None, typer.Option(help="A second collection, for a model that translates.")
]
Back = Annotated[
    bool, typer.Option("--back", help="Translate into the style of the second collection.")
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help='A model to compare, with its own settings if it has any: "vae '
        'model.weights.match_z=4". "gan start=RUN" begins with the weights of a run, '
        "also of a model named before it, such as TO/runs/vae. Repeatable. Without it, "
        "all models that fit.",
    ),
]
Report = Annotated[
    Path | None, typer.Option("--to", help="Folder for evaluation.json and evaluation.png.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs: see docs/api.md.")]
Against = Annotated[Path | None, typer.Option(help="The collection to measure against.")]
Beside = Annotated[list[str] | None, typer.Option(help="Another run to measure; repeatable.")]
SampleCount = Annotated[int, typer.Option("--count", min=2, max=10_000, help="Samples to draw.")]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A run's folder; without it, the shipped weights."),
]
Arguments = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] ITEM...",
        help="A run's folder (without it, the shipped weights), then items.",
        show_default=False,
    ),
]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] FILE...",
        help="A run's folder (without it, the shipped weights), then files.",
        show_default=False,
    ),
]
Translator = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run that translates.")
]
FilesToTranslate = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Your files.")]
Folder = Annotated[Path | None, typer.Option("--to", help="Folder to write to.")]


class DomainCommands(ABC):
    """A domain's part of its commands.

    `name` is the group's, `items` the plural of its items, also the default folder to write to.
    `examples`: lines for each command's help. Methods with annotated options lend these to the
    command of their name (`prepare`, `sample`) or of their purpose (`open_data`, `train_options`,
    `reader`, `output`, `completed`).
    """

    name: ClassVar[str]
    items: ClassVar[str]
    point_help: ClassVar[str]
    examples: ClassVar[Mapping[str, Iterable[str]]]

    @abstractmethod
    def domain(self) -> "Domain":
        """Import and return the domain."""

    @abstractmethod
    def prepare(self, *args: Any, **options: Any) -> Any:
        """Read sources into a collection; return a summary with `lines` and `rejects`."""

    @abstractmethod
    def open_data(self, *args: Any, **options: Any) -> Any:
        """Open the data to train on; called with the domain's options and `preset`."""

    def open_other(self, other: str, data: Any) -> Any:
        """Open a second collection beside `data`."""
        return self.domain().open(Path(other))

    def train_options(self) -> list[str]:
        """Return the assignments (`key=value`) of the domain's own options of `train`."""
        return []

    def use(self, trained: "Model", run: str) -> str:
        """Say by which command a model is used that is trained; `run` as a shell reads it."""
        if trained.translates:
            return f"translate your {self.items} with: pianoreel {self.name} translate {run} FILE"
        if not trained.draws:
            return f"see what it has learned with: pianoreel {self.name} reconstruct {run} FILE"
        return f"sample from it with: pianoreel {self.name} sample {run}"

    def reader(self, items: Sequence[str], *args: Any, **options: Any) -> "Reader":
        """Return how files are read that are among the items of a command of latent space."""
        return self.domain().read

    def output(self, to: Path, device: str, *args: Any, **options: Any) -> Output:
        """Return where and how items are written. `device`: for networks that take part in it."""
        return Output(to)

    def completed(self, evaluation: Any) -> Any:
        """Return an evaluation with what the domain's own options of `evaluate` ask for."""
        return evaluation

    @abstractmethod
    def sample(self, *args: Any, **options: Any) -> Iterable[Path]:
        """Sample and write; yield paths."""


def group_of(own: DomainCommands) -> typer.Typer:
    """Build the group of a domain's commands."""
    group = typer.Typer(
        help=f"{own.items.capitalize()}: prepare, train, sample, evaluate, and more.",
        no_args_is_help=True,
    )
    commands: dict[Callable[..., None], dict[str, Callable[..., Any]]] = {
        prepare: {"read": own.prepare},
        train: {"open_data": own.open_data, "options": own.train_options},
        sample: {"draw": own.sample, "output": own.output},
        evaluate: {"complete": own.completed},
        compare: {"open_data": own.open_data},
        interpolate: {"reader": own.reader, "output": own.output},
        arithmetic: {"reader": own.reader, "output": own.output},
        reconstruct: {"reader": own.reader, "output": own.output},
        vary: {"reader": own.reader, "output": own.output},
        translate: {"reader": own.reader, "output": own.output},
    }
    for command, lent in commands.items():
        name, panel = command.__name__, PANELS.get(command, STEER)
        group.command(name, cls=OptionCommand, help=_help(command, own), rich_help_panel=panel)(
            with_options(functools.partial(command, own), **lent)
        )
    return group


def _help(command: Callable[..., None], own: DomainCommands) -> str:
    """Return the command's docstring in the domain's words, with the domain's examples."""
    text = inspect.cleandoc(command.__doc__ or "").format(
        items=own.items, item=own.items[:-1], points=own.point_help
    )
    examples = own.examples.get(command.__name__, ())
    return "\n\n".join([text, *(f"pianoreel {own.name} {line}" for line in examples)])


def with_options(command: Callable[..., None], **lent: Callable[..., Any]) -> Callable[..., None]:
    """Replace the `lent` arguments of `command` by the options of those functions.

    A function's options are its parameters annotated for typer. It is passed to the command with
    their values bound; the command gives it the others.
    """
    own = inspect.signature(command).parameters
    panels = {"output": FILES}
    borrowed = {name: _options(function, panels.get(name)) for name, function in lent.items()}
    parameters = [option for options in borrowed.values() for option in options.values()]
    parameters += [p for p in own.values() if p.name not in lent]

    def call(**given: Any) -> None:
        bound = {
            name: functools.partial(function, **{key: given[key] for key in borrowed[name]})
            for name, function in lent.items()
        }
        command(**bound, **{name: given[name] for name in own if name not in lent})

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    call.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _options(
    function: Callable[..., Any], panel: str | None = None
) -> dict[str, inspect.Parameter]:
    """Return the parameters annotated for typer; those without a panel are shown in `panel`."""
    parameters = inspect.signature(function).parameters.values()
    found = [p for p in parameters if get_origin(p.annotation) is Annotated]
    return {p.name: p.replace(annotation=_in_panel(p.annotation, panel)) for p in found}


def _in_panel(annotation: Any, panel: str | None) -> Any:
    kind, option = get_args(annotation)
    if panel is None or option.rich_help_panel:
        return annotation
    shown = copy.copy(option)  # options are shared between commands
    shown.rich_help_panel = panel
    return Annotated[kind, shown]


def prepare(
    own: DomainCommands,
    read: Callable[..., Any],
    jobs: Jobs = None,
    strict: StrictOption = False,
    json: Json = False,
) -> None:
    """Read {items} into a collection to train on.

    Each file is kept, or listed in TO/rejects.jsonl with a reason. The same command resumes.
    """
    with ticking("reading") as tick:
        summary = read(jobs=jobs or os.cpu_count() or 1, tick=tick)
    if json:
        print_json(_counts(summary))
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
    """Train a model. Ctrl-C saves and stops; the same command resumes.

    --from begins with the weights of another run, to go on with other data or settings.

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
    """Measure samples beside real {items} and beside chance. Without RUN: the shipped weights."""
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
    with ticking("measuring") as tick:
        measured = domain.evaluate(subjects, data, count, seed, second, tick)
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

    The same command resumes.
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
    """Interpolate between two {items} in latent space, along a great circle.

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
    """Compute A - B + C in latent space: the difference of A and B, added to C.

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


PANELS = {prepare: LEARN, train: LEARN, sample: MAKE, evaluate: MEASURE, compare: MEASURE}
"""The panels of the commands; the others steer a model in its latent space."""


def print_json(report: Any) -> None:
    """Print a report of plain values as JSON."""
    import json

    print(json.dumps(report, indent=1, allow_nan=False))


def print_paths(paths: Iterable[Path], as_json: bool = False) -> None:
    """Print each path as soon as its file is written; as JSON all of them at the end."""
    if as_json:
        print_json({"paths": [str(path) for path in paths]})
        return
    for path in paths:
        print(path)


COUNTS = ("sources", "kept", "pieces", "rejects", "skipped")
"""Counts of a preparation that are printed as JSON, those that its summary has."""


def _counts(summary: Any) -> dict[str, Any]:
    """Return the counts of a preparation, and the lines that say them in words."""
    counts = {name: getattr(summary, name) for name in COUNTS if hasattr(summary, name)}
    return {**counts, "lines": list(summary.lines)}


def budget(steps: int | None, minutes: float | None) -> list[str]:
    """Return the assignments (`key=value`) of a budget that replaces the preset's.

    With both, training ends at whichever comes first.
    """
    if steps is None and minutes is None:
        return []
    asked = {"steps": steps, "minutes": minutes}
    return [f"train.{name}={'null' if value is None else value}" for name, value in asked.items()]


def print_config(config: Any) -> None:
    """Print a configuration as YAML, as a run keeps it."""
    import yaml

    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
