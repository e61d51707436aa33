"""The options of several commands, and the panels in which help shows commands and options."""

from pathlib import Path
from typing import Annotated

import typer

LARGEST_SEED = 2**63 - 1


def _more_than_0(value: float | None) -> float | None:
    if value is not None and value <= 0:
        raise typer.BadParameter(f"{value:g} is not more than 0.")
    return value


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
    str | None, typer.Option("--model", help="Name of a model: see `pianoreel models`.")
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
    float | None,
    typer.Option(callback=_more_than_0, help="Budget in minutes.", rich_help_panel=BUDGET),
]
MinutesEach = Annotated[
    float | None,
    typer.Option(
        "--minutes",
        callback=_more_than_0,
        help="Budget of each model in minutes.",
        rich_help_panel=BUDGET,
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
CollectionFolder = Annotated[
    Path, typer.Option(help="Folder to write the prepared collection to.")
]
CollectionArgument = Annotated[Path, typer.Argument(help="A collection that `prepare` wrote.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files of the same names.")
]
RunFolder = Annotated[
    Path, typer.Option("--to", help="Folder of the run; repeat the command to resume it.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the configuration without training.",
        rich_help_panel=CONFIGURATION,
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Processes that read files (default: one per core).")
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="K/N",
        help="Read only part K of N, such as 3/8, while other machines read the other parts. "
        "When all are read, repeat the command without it to make the collection.",
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with status 1 if a file is rejected.")
]
PointCount = Annotated[
    int, typer.Option("--points", min=2, max=1000, help="How many points, including both ends.")
]
Strength = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="How far from the original: 0 is the original, 1 is unrelated to it."
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--from", help="Start from the weights of this run or of a shipped model."),
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
    typer.Argument(metavar="[RUN]", help="A run's folder; by default, the shipped weights."),
]
Arguments = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] ITEM...",
        help="A run's folder (by default, the shipped weights), then items.",
        show_default=False,
    ),
]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] FILE...",
        help="A run's folder (by default, the shipped weights), then files.",
        show_default=False,
    ),
]
Translator = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run that translates.")
]
FilesToTranslate = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Your files.")]
Folder = Annotated[Path | None, typer.Option("--to", help="Folder to write to.")]
