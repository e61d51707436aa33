"""The commands of video: prepare, train, sample, evaluate.

Each imports what it needs inside itself, so that --help is quick.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.commands import (
    Device,
    DryRun,
    Minutes,
    Preset,
    RunFolder,
    Seed,
    Set,
    Steps,
    budget,
    print_config,
)

video = typer.Typer(help="Clips: prepare, train, sample, evaluate.", no_args_is_help=True)

Shapes = Annotated[
    bool,
    typer.Option("--shapes", help="Moving shapes, drawn as they are needed, in place of DATA."),
]
Pairs = Annotated[bool, typer.Option("--pairs", help="With --shapes: two in each clip.")]


@video.command()
def train(
    to: RunFolder,
    data: Annotated[
        Path | None,
        typer.Argument(help="A collection, as `prepare` writes it.", show_default=False),
    ] = None,
    shapes: Shapes = False,
    pairs: Pairs = False,
    model: Annotated[
        str, typer.Option(help="gist, text_to_video, or one that `models` lists.")
    ] = "gist",
    preset: Preset = "small",
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Train a model. Ctrl-C saves and stops; the same command goes on.

    pianoreel video train data/mine --to runs/mine --minutes 60

    pianoreel video train --shapes --to runs/shapes --preset small

    pianoreel video train --shapes --to runs/paper --model text_to_video --set model.game=hinge
    """
    from videogen.model import configure, find_data
    from videogen.model import train as train_model

    found = find_data(data, shapes, pairs, preset)
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]
    if dry_run:
        print_config(configure(found, model, preset, assignments))
        return
    train_model(found, to, model, preset, device, assignments)
    print(f'trained: {to}; see it with pianoreel video sample "A CAPTION" --run {to} --to clips')


@video.command()
def sample(
    told: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [CAPTION]...",
            help="A run's folder, then sentences; without a run the weights that ship.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("clips"),
    prompts: Annotated[
        Path | None, typer.Option(help="A text file with a caption in each line.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Clips of each caption.")] = 1,
    seed: Seed = 0,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also draw gist, background, mask and foreground.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Make clips from sentences: .mp4, .gif and a filmstrip .png of each.

    pianoreel video sample "A small red circle is moving in a zigzag path towards north"

    pianoreel video sample runs/mine --prompts captions.txt --count 4 --seed 1 --to clips

    Without a caption, and without --prompts, some of the training captions are taken.
    """
    from videogen.model import DOMAIN, Model, read_prompts
    from videogen.render import write_samples

    run, captions = DOMAIN.leading_run(told or [])
    model = Model.load(run, device)
    captions = [*captions, *(read_prompts(prompts) if prompts else [])]
    captions = captions or list(model.form.examples)
    for caption in captions:
        if unknown := model.captions.unknown(caption):
            print(f"warning: never seen in training: {', '.join(unknown)}", file=sys.stderr)
    for path in write_samples(model, captions, count, seed, to, parts=parts):
        print(path)
