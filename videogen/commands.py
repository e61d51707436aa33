"""The commands of video, from files to clips.

Each imports what it needs inside itself, so that --help is quick.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.app.commands import (
    Back,
    Device,
    DryRun,
    Jobs,
    Json,
    Minutes,
    MinutesEach,
    Models,
    PointCount,
    Preset,
    Report,
    RunFolder,
    Seed,
    Set,
    Steps,
    Strength,
    StrictOption,
    Translator,
    budget,
    monitored,
    print_config,
    show_comparison,
    show_report,
    ticking,
)

video = typer.Typer(
    help="Clips: prepare, train, sample, evaluate, and more.", no_args_is_help=True
)

Data = Annotated[
    Path | None,
    typer.Argument(help="A collection, as `prepare` writes it.", show_default=False),
]
Shapes = Annotated[
    bool,
    typer.Option("--shapes", help="Moving shapes, drawn as they are needed, in place of DATA."),
]
Showing = Annotated[
    str, typer.Option(help="With --shapes: only those whose captions have this word.")
]
Other = Annotated[
    str | None,
    typer.Option(
        help="A second collection, for a model that goes between two; with --shapes a word."
    ),
]
Pairs = Annotated[bool, typer.Option("--pairs", help="With --shapes: one or two in a clip.")]


@video.command()
def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files, patterns or manifests (.csv, .jsonl) of clips.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path | None, typer.Option(help="Folder to write the prepared collection to.")
    ] = None,
    size: Annotated[int, typer.Option(min=4, max=1024, help="Pixels of a side.")] = 64,
    frames: Annotated[int, typer.Option(min=1, help="Frames of a clip.")] = 16,
    fps: Annotated[float, typer.Option(min=0.001, help="Frames a second.")] = 8.0,
    fit: Annotated[
        Literal["crop", "fit", "stretch"],
        typer.Option(help="crop: the centre. fit: all of it, with bars. stretch: out of shape."),
    ] = "crop",
    hop: Annotated[
        int | None,
        typer.Option(min=1, help="Frames from one clip to the next; without it they touch."),
    ] = None,
    short: Annotated[
        Literal["pad", "loop", "drop"],
        typer.Option(help="Too few frames: the last stays, all again from the first, left out."),
    ] = "pad",
    captions: Annotated[
        Literal["auto", "manifest", "text", "folder", "name"],
        typer.Option(help="Where captions come from; auto: the first of the others there is."),
    ] = "auto",
    background: Annotated[
        str, typer.Option(help="Behind what is transparent, and of bars.")
    ] = "#000000",
    check: Annotated[bool, typer.Option("--check", help="Do all but write.")] = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    strict: StrictOption = False,
    settings: Set = None,
) -> None:
    """Read captioned videos into a collection to train on.

    Captions: rows of clips.csv or clips.jsonl (path, caption), else rex.txt beside rex.mp4,
    else the name of the class folder, else the file's own name.

    Each file is kept, or named in TO/rejects.jsonl with its reason.
    The same command goes on where it was stopped.

    pianoreel video prepare ~/clips --to data/mine --size 64 --frames 16 --fps 8

    pianoreel video prepare ~/clips/captions.csv --to data/mine --hop 8 --short loop

    pianoreel video prepare ~/clips --check
    """
    from core.config import override, resolve
    from core.errors import ConfigError
    from videogen.data.preparation import prepare as prepare_clips
    from videogen.data.records import PrepareConfig

    if check == bool(to):
        raise ConfigError("give either --to FOLDER or --check")
    chosen = {
        "size": size,
        "frames": frames,
        "frames_per_second": fps,
        "fit": fit,
        "background": background,
        "hop": hop,
        "short": short,
        "captions": captions,
        "seed": seed,
    }
    config = resolve(PrepareConfig, override(chosen, settings or []), "video prepare")
    with ticking("reading") as tick:
        workers = jobs or os.cpu_count() or 1
        summary = prepare_clips(sources, to, config, jobs=workers, tick=tick)
    print("\n".join(summary.lines))
    raise typer.Exit(int(strict and bool(summary.rejects)))


@video.command()
def sprites(
    parts: Annotated[
        Path, typer.Argument(help="Folder with body/, hair/, topwear/ ... of sprite sheets.")
    ],
    to: Annotated[Path, typer.Option(help="Folder to write clips and captions to.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Clips to compose.")] = 1000,
    seed: Seed = 0,
) -> None:
    """Compose captioned clips of characters from sheets of the Liberated Pixel Cup.

    pianoreel video sprites parts/ --to sprites --count 1000

    pianoreel video prepare sprites/clips.jsonl --to data/sprites --frames 8 --fps 8
    """
    from videogen.data.sprites import write_sprites

    with ticking("composing") as tick:
        written = write_sprites(parts, to, count, seed, tick)
    print(f"{written} clips: prepare them with pianoreel video prepare {to}/clips.jsonl")


@video.command()
def train(
    to: RunFolder,
    data: Data = None,
    shapes: Shapes = False,
    pairs: Pairs = False,
    showing: Showing = "",
    other: Other = None,
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

    pianoreel video train --shapes --showing red --other blue --model cyclegan --to runs/red
    """
    from videogen.model import configure, find_data, find_other
    from videogen.model import train as train_model

    found = find_data(data, shapes, pairs, preset, showing)
    second = find_other(other, found)
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]
    if dry_run:
        print_config(configure(found, model, preset, assignments, second))
        return
    with monitored() as monitor:
        train_model(found, to, model, preset, device, assignments, second, monitor)
    print(f'trained: {to}; see it with pianoreel video sample {to} "A CAPTION" --to clips')


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
    from videogen.files.render import write_samples
    from videogen.model import DOMAIN, Model, read_prompts

    run, captions = DOMAIN.leading_run(told or [])
    captions += read_prompts(prompts) if prompts else []
    model = Model.load(run, device)
    captions = captions or list(model.spec.examples)
    for caption in captions:
        if unknown := model.captions.unknown(caption):
            print(f"warning: never seen in training: {', '.join(unknown)}", file=sys.stderr)
    captions = [caption for caption in captions for _ in range(count)]
    clips = model.clips(captions, seed)
    layers = model.parts(captions, seed) if parts else None
    for path in write_samples(clips, captions, model.spec.frames_per_second, seed, to, layers):
        print(path)


@video.command()
def evaluate(
    run: Annotated[
        str | None, typer.Argument(help="A run's folder; without it the weights that ship.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="The collection to measure against; moving shapes need none."),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Another run to measure on the same captions; repeatable."),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(help="What a translation is given: a collection, or a word of shapes."),
    ] = None,
    count: Annotated[int, typer.Option(min=8, max=10_000, help="Clips of each group.")] = 256,
    seed: Seed = 0,
    to: Report = None,
    json: Json = False,
    device: Device = "auto",
) -> None:
    """Measure whether clips show what their captions say, beside real clips and chance.

    The first evaluation against a collection trains a classifier of it, which is kept.

    pianoreel video evaluate

    pianoreel video evaluate runs/mine --against data/mine --to report

    pianoreel video evaluate runs/gist --beside runs/paper

    A run with --set wrong_captions=true says what chance scores; for moving shapes one ships.
    """
    from videogen.data.collection import Collection
    from videogen.measures import evaluation, scorecard
    from videogen.model import Model, find_other

    model = Model.load(run, device)
    data = Collection.open(against) if against else evaluation.data_of(model.spec)
    others = [Model.load(other, device) for other in beside or []]
    others += evaluation.chance_model(model, device)
    with ticking("training a classifier of real clips") as tick:
        second = find_other(other, data)
        report = evaluation.evaluate(model, data, count, seed, others, other=second, tick=tick)
    show_report(report, scorecard, to, json)


@video.command()
def compare(
    to: Annotated[Path, typer.Option(help="Folder for the runs, the tables and the picture.")],
    data: Data = None,
    shapes: Shapes = False,
    pairs: Pairs = False,
    showing: Showing = "",
    other: Other = None,
    models: Models = None,
    preset: Preset = "small",
    steps: Steps = None,
    minutes: MinutesEach = None,
    count: Annotated[int, typer.Option(min=8, max=10_000, help="Clips of each group.")] = 256,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Set = None,
) -> None:
    """Train models for the same time on the same clips, and measure them side by side.

    pianoreel video compare --shapes --minutes 10 --to comparison

    pianoreel video compare data/mine --model gist --model vq_vae --minutes 30 --to comparison

    The same command goes on where it was stopped.
    """
    from core.app.comparison import contenders, train_each
    from videogen.files.render import draw_grid
    from videogen.measures import evaluation, scorecard
    from videogen.model import DOMAIN, Model, find_data, find_other
    from videogen.model import train as train_model

    found = find_data(data, shapes, pairs, preset, showing)
    second = find_other(other, found)
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]

    def train(name: str, folder: Path) -> Model:
        source = second if DOMAIN.is_translation(name) else None
        with monitored() as monitor:
            train_model(found, folder, name, preset, device, assignments, source, monitor)
        return Model.load(folder, device)

    trained = train_each(contenders(DOMAIN, models or [], bool(second)), to / "runs", train)
    with ticking("training a classifier of real clips") as tick:
        report = evaluation.evaluate(
            trained[0], found, count, seed, trained[1:], "generated", second, tick
        )
    captions, clips = evaluation.examples(trained, found, seed, second)
    draw_grid(clips, captions, to / "models.png")
    tables = scorecard.tables(report)
    show_comparison(trained, to / "runs", report, tables, "models.png", to)


Told = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] PLACE...",
        help="A run's folder (else the weights that ship), then sentences or video files.",
        show_default=False,
    ),
]
Clips = Annotated[Path, typer.Option(help="Folder to write to.")]


@video.command()
def interpolate(
    told: Told,
    places: PointCount = 9,
    to: Clips = Path("clips"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Walk from one clip to another one: two sentences, or two of your own files.

    pianoreel video interpolate "A small red circle is moving in a straight line towards north" \\
        "A large blue square is moving in a straight line towards north" --to clips

    pianoreel video interpolate runs/mine first.mp4 last.mp4 --places 16 --to clips
    """
    from core.app.latent import slerp
    from videogen.latent_points import open_model, point_of, write_points

    model, (first, last) = open_model(told, 2, device)
    path = slerp(point_of(model, first, seed), point_of(model, last, seed), places)
    titles = [f"{number / (places - 1):.0%}" for number in range(places)]
    titles[0], titles[-1] = first, last
    write_points(model, path, titles, "path", to)


@video.command()
def arithmetic(
    told: Told, to: Clips = Path("clips"), seed: Seed = 0, device: Device = "auto"
) -> None:
    """A - B + C: what the first clip has beyond the second one, added to the third.

    pianoreel video arithmetic "A small red circle is moving in a straight line towards north" \\
        "A small red circle is moving in a straight line towards south" \\
        "A large blue square is moving in a straight line towards south" --to clips
    """
    from core.app.latent import arithmetic as combined
    from core.app.latent import concat
    from videogen.latent_points import open_model, point_of, write_points

    model, clips = open_model(told, 3, device)
    a, b, c = (point_of(model, clip, seed) for clip in clips)
    titles = [f"{sign} {clip}" for sign, clip in zip(" -+", clips, strict=True)]
    write_points(model, concat([a, b, c, combined(a, b, c)]), [*titles, "="], "sum", to)


@video.command()
def reconstruct(told: Told, to: Clips = Path("clips"), device: Device = "auto") -> None:
    """Let your own clips pass through the latent space: what a model keeps of them.

    pianoreel video reconstruct runs/mine clip.mp4 --to clips
    """
    from videogen.latent_points import open_model, write_beside

    model, clips = open_model(told, None, device)
    for clip in clips:
        write_beside(model, Path(clip), to, "again", model.reconstruct)


@video.command()
def translate(
    run: Translator,
    videos: Annotated[list[Path], typer.Argument(help="Video files.")],
    back: Back = False,
    to: Clips = Path("clips"),
    device: Device = "auto",
) -> None:
    """Bring clips of one collection into the manner of another.

    pianoreel video train --shapes --showing red --other blue --model cyclegan --to runs/red

    pianoreel video translate runs/red blue.mp4 --to clips
    """
    from videogen.latent_points import write_beside
    from videogen.model import Model

    model = Model.load(run, device)
    for video_file in videos:
        write_beside(
            model, video_file, to, "translated", lambda clips, _: model.translate(clips, back)
        )


@video.command()
def vary(
    told: Told,
    strength: Strength = 0.3,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Variations.")] = 4,
    to: Clips = Path("clips"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Make variations of a clip: of a sentence's, or of your own file.

    pianoreel video vary runs/mine clip.mp4 --strength 0.2 --count 8 --to clips
    """
    from core.app.latent import concat, variations
    from videogen.latent_points import open_model, point_of, write_points

    model, (clip,) = open_model(told, 1, device)
    place = point_of(model, clip, seed)
    around = concat([place, variations(place, strength, count, seed)])
    titles = [clip, *(f"variation {number + 1}" for number in range(count))]
    write_points(model, around, titles, "variations", to)
