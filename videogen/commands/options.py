"""The options of the commands of video, in the order of the commands."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from videogen.files.limits import LEAST_PACE, MOST_FRAMES, MOST_PACE, MOST_TRIES

Scale = Annotated[
    float | None,
    typer.Option(
        min=0.05,
        max=64,
        help="Enlarge films this many times.",
        show_default="to about 256 pixels",
    ),
]
Resize = Annotated[
    Literal["nearest", "lanczos"] | None,
    typer.Option(
        help="With --scale: nearest makes each pixel a square, lanczos is smooth.",
        show_default="nearest for whole factors of clips below 64 pixels, else lanczos",
    ),
]
Enlarger = Annotated[
    str | None,
    typer.Option(
        help="A run of super_resolution that enlarges clips before --scale.",
        show_default="the model's own, unless --resize is given",
    ),
]
AUGMENTATION, CUTTING, STEERING = "Augmentation", "How videos are cut into clips", "Steering"
"""Panels of options in the help of `train`, `prepare` and `sample`."""

# prepare

Sources = Annotated[
    list[str],
    typer.Argument(
        help="Folders, zips, tars, files, patterns or tables (.csv, .jsonl, .json, "
        "videos.txt beside prompts.txt) of clips. A folder of numbered pictures "
        "is one clip. A clip's caption is its row in a table (path, caption), "
        "else the text in rex.txt beside rex.mp4, else the name of its folder, "
        "else its own name.",
        show_default=False,
    ),
]
CollectionFolder = Annotated[
    Path | None, typer.Option(help="Folder to write the prepared collection to.")
]
ClipSize = Annotated[
    int,
    typer.Option(
        min=16,
        max=256,
        help="Width and height in pixels, from 16 to 256.",
        rich_help_panel=CUTTING,
    ),
]
ClipFrames = Annotated[
    int,
    typer.Option(
        min=2,
        max=256,
        help="Frames per clip, from 2 to 256.",
        rich_help_panel=CUTTING,
    ),
]
ClipRate = Annotated[
    float, typer.Option(min=0.001, help="Frames per second.", rich_help_panel=CUTTING)
]
Fit = Annotated[
    Literal["crop", "fit", "stretch"],
    typer.Option(
        help="crop: the centre. fit: the whole picture, with bars. stretch: distorted.",
        rich_help_panel=CUTTING,
    ),
]
Hop = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Frames from the start of one clip to the next (default: the frames of a clip).",
        rich_help_panel=CUTTING,
    ),
]
MostClips = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="At most this many clips of one video, evenly spaced (default: ten "
        "times the median of the others, and no more than they have together).",
        rich_help_panel=CUTTING,
    ),
]
Short = Annotated[
    Literal["pad", "loop", "drop"],
    typer.Option(
        help="If a video is too short: repeat its last frame, loop it, or leave it out.",
        rich_help_panel=CUTTING,
    ),
]
Damaged = Annotated[
    Literal["drop", "keep"],
    typer.Option(
        help="If a video is damaged: leave it out, or keep what comes before the damage."
    ),
]
CaptionSource = Annotated[
    Literal["auto", "manifest", "text", "folder", "name"],
    typer.Option(help="Where captions come from. auto: the first of the others that is found."),
]
HoldOut = Annotated[
    str,
    typer.Option(
        metavar="auto|videos|windows|composition|FILE",
        help="What is held out of training. auto: whole videos, unless training would "
        "lack words without them. windows: the last clips of each video; clips that "
        "overlap them are left out. composition: captions whose two halves are "
        "trained on only in other combinations. FILE: the captions in this file, one "
        "in each line. No frame of a film is both trained on and held out.",
    ),
]
Background = Annotated[
    str,
    typer.Option(help="Colour of bars, and behind transparent pixels.", rich_help_panel=CUTTING),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Read everything and report, but write nothing. With the options of the real run, "
        "it names the clips that will be held out.",
    ),
]

# train and compare

Data = Annotated[
    Path | None,
    typer.Argument(help="A collection that `prepare` wrote.", show_default=False),
]
Shapes = Annotated[
    bool,
    typer.Option("--shapes", help="Train on moving shapes, drawn on the fly."),
]
Pairs = Annotated[
    bool, typer.Option("--pairs", help="With --shapes: one or two shapes in a clip.")
]
Showing = Annotated[
    str, typer.Option(help="With --shapes: only those whose captions contain this word.")
]
ShapesSize = Annotated[
    int | None,
    typer.Option(
        min=16,
        max=256,
        help="With --shapes: width and height in pixels.",
        show_default="the preset's: 16, 32 or 64",
    ),
]

# train

Flip = Annotated[
    Literal["auto", "always", "never"] | None,
    typer.Option(
        help="Mirror half of the clips that come from files. auto: only if no "
        "caption mentions a direction. always: if the clip's own caption "
        "mentions none.",
        show_default="that of --config, else auto",
        rich_help_panel=AUGMENTATION,
    ),
]
Crop = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=0.5,
        help="Cut away up to this share of a side, such as 0.1, unless the caption "
        "mentions size or place.",
        show_default="that of --config, else 0",
        rich_help_panel=AUGMENTATION,
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Change the speed by up to this share, such as 0.2, unless the caption "
        "mentions speed.",
        show_default="that of --config, else 0",
        rich_help_panel=AUGMENTATION,
    ),
]
Colour = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=0.5,
        help="Change the colours by up to this share, such as 0.1, unless the "
        "caption mentions colour or light.",
        show_default="that of --config, else 0",
        rich_help_panel=AUGMENTATION,
    ),
]

# files to write

Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "--only",
        help="Files to write: any of mp4, webm, gif, png (a filmstrip), png-sequence and "
        "jsonl (metadata.jsonl, a table of captions), "
        "such as mp4,png.",
        show_default="mp4,gif,png",
    ),
]
Loop = Annotated[
    bool,
    typer.Option(
        "--loop",
        help="Make clips that repeat seamlessly. They continue to where they began, or "
        "play forwards and backwards; if the model has no clock, the end is "
        "blended into the beginning.",
    ),
]

# sample

RunAndCaptions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN] [CAPTION]...",
        help="A run's folder, then captions. Without a run, the shipped weights; "
        "without captions, some of the training captions.",
        show_default=False,
    ),
]
Prompts = Annotated[Path | None, typer.Option(help="A text file with one caption in each line.")]
ClipCount = Annotated[
    int,
    typer.Option(
        min=1, max=1000, help="Clips of each caption. The seed increases by 1 with each clip."
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_FRAMES,
        help="Frames of a clip.",
        show_default="as in training, or as long at --fps",
        rich_help_panel=STEERING,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=LEAST_PACE,
        max=MOST_PACE,
        help="Frames per second.",
        show_default="as in training",
        rich_help_panel=STEERING,
    ),
]
Then = Annotated[
    list[str] | None,
    typer.Option(
        help="A caption to continue each clip with; repeatable.",
        rich_help_panel=STEERING,
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        help="A caption into which each clip gradually changes.", rich_help_panel=STEERING
    ),
]
StartPicture = Annotated[
    Path | None,
    typer.Option(
        help="Begin each clip with this picture, or with the first frame of this video.",
        rich_help_panel=STEERING,
    ),
]
BestOf = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_TRIES,
        help="Sample each clip this many times, and keep one that is like the "
        "training clips, so that fewer shapes lose their form.",
        show_default="the model's own, such as 8",
        rich_help_panel=STEERING,
    ),
]
Music = Annotated[
    bool,
    typer.Option("--music", help="Add a new song to each mp4 and webm, cut to its length."),
]
MusicRun = Annotated[
    str | None,
    typer.Option(help="With --music: the run that composes, or the name of a shipped song model."),
]
Parts = Annotated[
    bool, typer.Option("--parts", help="Also draw the gist, background, mask and foreground.")
]

# sprites

SpriteParts = Annotated[
    Path, typer.Argument(help="Folder of sprite sheets, in body/, hair/, topwear/ ...")
]
SpriteFolder = Annotated[Path, typer.Option(help="Folder to write clips and captions to.")]
SpriteCount = Annotated[int, typer.Option(min=1, max=100_000, help="Clips to compose.")]
