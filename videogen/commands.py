"""The commands of video. Each imports what it needs when it runs, so that --help is quick."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.app.commands.command import OptionCommand
from core.app.commands.domain import DomainCommands
from core.app.commands.group import group_of
from core.app.commands.options import LEARN, Seed, Set, Shard
from core.app.output import Output
from core.app.progress import ticking
from videogen.files.limits import MOST_FRAMES

if TYPE_CHECKING:
    from videogen.captioned_clips import CaptionedClips
    from videogen.domain import Video
    from videogen.files.clip import Sound
    from videogen.rendering.output import ClipOutput


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
Compose = Callable[[str | None, float, int, str], "Sound"]
"""A run of music or None, seconds, a seed and a device to stereo at 44.1 kHz, as long at least."""


class VideoCommands(DomainCommands):
    """Clips, from captioned videos to clips of a caption."""

    name = "video"
    items = "clips"
    point_help = "a caption or a video file"
    examples = {
        "prepare": (
            "prepare ~/clips --to data/mine --size 64 --frames 16 --fps 8",
            "prepare ~/clips/captions.csv --to data/mine --hop 8 --short loop",
            "prepare ~/clips --hold-out composition --to data/mine",
            "prepare ~/clips --check",
        ),
        "train": (
            "train data/mine --to runs/mine --minutes 60",
            "train data/mine --to runs/mine --crop 0.1 --speed 0.2 --minutes 60",
            "train --shapes --to runs/shapes --preset small",
            "train --shapes --to runs/paper --model text_to_video --set model.game=hinge",
            "train --shapes --showing red --other blue --model cyclegan --to runs/red",
        ),
        "sample": (
            'sample "A small red circle is moving in a zigzag path towards north"',
            "sample runs/mine --prompts captions.txt --count 4 --seed 1 --to clips",
            'sample runs/mine "a dog runs" --then "a dog sleeps" --start rex.png --fps 24',
        ),
        "evaluate": (
            "evaluate",
            "evaluate runs/mine --against data/mine --to report",
            "evaluate runs/gist --beside runs/paper",
        ),
        "compare": (
            "compare --shapes --minutes 10 --to comparison",
            "compare data/mine --model gist --model vq_vae --minutes 30 --to comparison",
            'compare --shapes --model tfgan --model "tfgan model.video.filter_rank=0" --to ranks',
        ),
        "interpolate": (
            'interpolate "A small red circle is moving in a straight line towards north" '
            '"A large blue square is moving in a straight line towards north" --to clips',
            "interpolate runs/mine first.mp4 last.mp4 --points 16 --to clips",
        ),
        "arithmetic": (
            'arithmetic "A small red circle is moving in a straight line towards north" '
            '"A small red circle is moving in a straight line towards south" '
            '"A large blue square is moving in a straight line towards south" --to clips',
        ),
        "reconstruct": ("reconstruct runs/mine clip.mp4 --to clips",),
        "vary": (
            "vary runs/mine clip.mp4 --strength 0.2 --count 8 --to clips",
            "vary runs/mocogan 7 --keep content --strength 1 --to clips",
        ),
        "translate": ("translate runs/red blue.mp4 --to clips",),
    }

    def __init__(self, compose: Compose):
        self.compose = compose

    def domain(self) -> "Video":
        from videogen.model import DOMAIN

        return DOMAIN

    def prepare(
        self,
        jobs: int,
        tick: Callable[[int, int], None],
        sources: Annotated[
            list[str],
            typer.Argument(
                help="Folders, zips, tars, files, patterns or tables (.csv, .jsonl, .json, "
                "videos.txt beside prompts.txt) of clips. A folder of numbered pictures "
                "is one clip. A clip's caption is its row in a table (path, caption), "
                "else the text in rex.txt beside rex.mp4, else the name of its folder, "
                "else its own name.",
                show_default=False,
            ),
        ],
        to: Annotated[
            Path | None, typer.Option(help="Folder to write the prepared collection to.")
        ] = None,
        size: Annotated[
            int,
            typer.Option(
                min=16,
                max=256,
                help="Pixels of a side: any number from 16 to 256.",
                rich_help_panel=CUTTING,
            ),
        ] = 64,
        frames: Annotated[
            int,
            typer.Option(
                min=2,
                max=256,
                help="Frames of a clip: any number from 2 to 256.",
                rich_help_panel=CUTTING,
            ),
        ] = 16,
        fps: Annotated[
            float, typer.Option(min=0.001, help="Frames a second.", rich_help_panel=CUTTING)
        ] = 8.0,
        fit: Annotated[
            Literal["crop", "fit", "stretch"],
            typer.Option(
                help="crop: the centre. fit: the whole picture, with bars. stretch: distorted.",
                rich_help_panel=CUTTING,
            ),
        ] = "crop",
        hop: Annotated[
            int | None,
            typer.Option(
                min=1,
                help="Frames from one clip to the next (default: the frames of a clip).",
                rich_help_panel=CUTTING,
            ),
        ] = None,
        most_clips: Annotated[
            int | None,
            typer.Option(
                min=1,
                help="At most this many clips of one video, evenly spaced (default: ten "
                "times the median of the others, and no more than they have together).",
                rich_help_panel=CUTTING,
            ),
        ] = None,
        short: Annotated[
            Literal["pad", "loop", "drop"],
            typer.Option(
                help="If a video is too short: repeat its last frame, loop it, or leave it out.",
                rich_help_panel=CUTTING,
            ),
        ] = "pad",
        damaged: Annotated[
            Literal["drop", "keep"],
            typer.Option(
                help="If a video is damaged: leave it out, or keep what comes before the damage."
            ),
        ] = "drop",
        captions: Annotated[
            Literal["auto", "manifest", "text", "folder", "name"],
            typer.Option(
                help="Where captions come from. auto: the first of the others that is found."
            ),
        ] = "auto",
        hold_out: Annotated[
            str,
            typer.Option(
                metavar="auto|videos|windows|composition|FILE",
                help="What is kept away from training. auto: whole videos, unless that takes "
                "words away. windows: the last clips of videos; what overlaps them in "
                "the film is left out. composition: captions whose two halves are "
                "trained on only with others. FILE: the captions in its lines. Excerpts "
                "of one film share no frame between both sides.",
            ),
        ] = "auto",
        background: Annotated[
            str,
            typer.Option(
                help="Colour of bars, and behind transparent pixels.", rich_help_panel=CUTTING
            ),
        ] = "#000000",
        check: Annotated[
            bool, typer.Option("--check", help="Read everything, report, and write nothing.")
        ] = False,
        shard: Shard = None,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.config import override, resolve
        from core.data.preparation import Part
        from core.errors import ConfigError
        from videogen.data.preparation import prepare, prepare_part
        from videogen.data.records import HOLD_OUT, PrepareConfig

        if check == bool(to):
            raise ConfigError("give either --to FOLDER or --check")
        if check and shard:
            raise ConfigError("--check reads all files: leave --shard out")
        part = Part.parse(shard) if shard else None
        chosen = {
            "size": size,
            "frames": frames,
            "frames_per_second": fps,
            "fit": fit,
            "background": background,
            "hop": hop,
            "most_clips": most_clips,
            "short": short,
            "damaged": damaged,
            "captions": captions,
            "hold_out": hold_out if hold_out in HOLD_OUT else _captions_in(hold_out),
            "seed": seed,
        }
        config = resolve(PrepareConfig, override(chosen, settings or []), "video prepare")
        if part and to:
            return prepare_part(sources, to, part, config, jobs=jobs, tick=tick)
        return prepare(sources, to, config, jobs=jobs, tick=tick)

    def open_data(
        self,
        preset: str,
        data: Annotated[
            Path | None,
            typer.Argument(help="A collection that `prepare` wrote.", show_default=False),
        ] = None,
        shapes: Annotated[
            bool,
            typer.Option("--shapes", help="Train on moving shapes, drawn as they are needed."),
        ] = False,
        pairs: Annotated[
            bool, typer.Option("--pairs", help="With --shapes: one or two shapes in a clip.")
        ] = False,
        showing: Annotated[
            str, typer.Option(help="With --shapes: only those whose captions contain this word.")
        ] = "",
        size: Annotated[
            int | None,
            typer.Option(
                min=16,
                max=256,
                help="With --shapes: pixels of a side.",
                show_default="the preset's: 16, 32 or 64",
            ),
        ] = None,
    ) -> "CaptionedClips":
        from videogen.captioned_clips import find_data

        return find_data(data, shapes, pairs, preset, showing, size)

    def train_options(
        self,
        flip: Annotated[
            Literal["auto", "always", "never"] | None,
            typer.Option(
                help="Mirror half of the clips that come from files. auto: only if no "
                "caption has a word of direction. always: if the clip's own caption has "
                "none.",
                show_default="that of --config, else auto",
                rich_help_panel=AUGMENTATION,
            ),
        ] = None,
        crop: Annotated[
            float | None,
            typer.Option(
                min=0,
                max=0.5,
                help="Cut away up to this share of a side, such as 0.1, unless the caption "
                "has a word of size or place.",
                show_default="that of --config, else 0",
                rich_help_panel=AUGMENTATION,
            ),
        ] = None,
        speed: Annotated[
            float | None,
            typer.Option(
                min=0,
                max=1,
                help="Change the speed by up to this share, such as 0.2, unless the caption "
                "has a word of speed.",
                show_default="that of --config, else 0",
                rich_help_panel=AUGMENTATION,
            ),
        ] = None,
        colour: Annotated[
            float | None,
            typer.Option(
                min=0,
                max=0.5,
                help="Change the colours by up to this share, such as 0.1, unless the "
                "caption has a word of colour or light.",
                show_default="that of --config, else 0",
                rich_help_panel=AUGMENTATION,
            ),
        ] = None,
    ) -> list[str]:
        chosen = {"flip": flip, "crop": crop, "speed": speed, "colour": colour}
        return [f"augment.{key}={value}" for key, value in chosen.items() if value is not None]

    def open_other(self, other: str, data: "CaptionedClips") -> "CaptionedClips | None":
        """Open a second collection: a folder, or with moving shapes a word of their captions."""
        from videogen.captioned_clips import find_other

        return find_other(other, data)

    def output(
        self,
        to: Path,
        device: str,
        formats: Annotated[
            list[str] | None,
            typer.Option(
                "--format",
                "--only",
                help="Files to write: any of mp4, webm, gif, png (a filmstrip), png-sequence and "
                "jsonl (metadata.jsonl, a table of captions), "
                "such as mp4,png.",
                show_default="mp4,gif,png",
            ),
        ] = None,
        scale: Scale = None,
        resize: Resize = None,
        enlarger: Enlarger = None,
        loop: Annotated[
            bool,
            typer.Option(
                "--loop",
                help="Make clips that repeat seamlessly. They go on to where they began, or "
                "play forwards and backwards; if the model has no clock, the end is "
                "blended into the beginning.",
            ),
        ] = False,
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Replace other clips of the same names.")
        ] = False,
    ) -> Output:
        from core.app.output import read_formats
        from videogen.rendering.enlargement import Enlargement
        from videogen.rendering.output import DEFAULT_FORMATS, FORMATS, ClipOutput

        chosen = read_formats(formats or DEFAULT_FORMATS, FORMATS, "clips")
        size = Enlargement(scale, resize)
        return ClipOutput(to, chosen, size, loop, enlarger, overwrite=overwrite)

    def sample(
        self,
        to: "ClipOutput",
        seed: int,
        device: str,
        arguments: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="[RUN] [CAPTION]...",
                help="A run's folder, then captions. Without a run, the shipped weights; "
                "without captions, some of the training captions.",
                show_default=False,
            ),
        ] = None,
        prompts: Annotated[
            Path | None, typer.Option(help="A text file with a caption in each line.")
        ] = None,
        count: Annotated[
            int,
            typer.Option(
                min=1, max=1000, help="Clips of each caption. The seed grows by 1 with each clip."
            ),
        ] = 1,
        frames: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=MOST_FRAMES,
                help="Frames of a clip.",
                show_default="as in training, or as long at --fps",
                rich_help_panel=STEERING,
            ),
        ] = None,
        fps: Annotated[
            float | None,
            typer.Option(
                min=1,
                max=120,
                help="Frames a second.",
                show_default="as in training",
                rich_help_panel=STEERING,
            ),
        ] = None,
        then: Annotated[
            list[str] | None,
            typer.Option(
                help="A caption that follows in each clip; repeatable.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        into: Annotated[
            str | None,
            typer.Option(
                help="A caption into which each clip gradually changes.", rich_help_panel=STEERING
            ),
        ] = None,
        start: Annotated[
            Path | None,
            typer.Option(
                help="Begin each clip with this picture, or with the first frame of this video.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        best_of: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=256,
                help="Sample this many of each clip, and keep one that is like those of the "
                "training, so that few lose their form.",
                show_default="the model's own, such as 8",
                rich_help_panel=STEERING,
            ),
        ] = None,
        music: Annotated[
            bool,
            typer.Option(
                "--music", help="Lay a new song under each mp4 and webm, cut to its length."
            ),
        ] = False,
        music_run: Annotated[
            str | None,
            typer.Option(
                help="With --music: the run that composes, or a shipped model of songs by "
                "its name."
            ),
        ] = None,
        parts: Annotated[
            bool, typer.Option("--parts", help="Also draw gist, background, mask and foreground.")
        ] = False,
    ) -> Iterator[Path]:
        from core.errors import ConfigError, UserError
        from videogen.files.text import read_prompts
        from videogen.model import Model
        from videogen.rendering.take import Take

        if music_run and not music:
            raise ConfigError("--music-run is for --music: give that with it")
        run, captions = self.domain().leading_run(arguments or [])
        captions += read_prompts(prompts) if prompts else []
        model = Model.load(run, device)
        model = model.best_of(best_of) if best_of else model
        if captions and not model.reads_captions:
            raise UserError(
                f"{model.name} reads no captions: leave them out, --count says how many clips"
            )
        captions = captions or list(model.spec.examples if model.reads_captions else [""])
        model.warn_of(captions)
        to = to.of(model)
        to.require_sound(music)
        wanted = enumerate((c for c in captions for _ in range(count)), seed)
        first = model.first_frame(start) if start else None
        closed = to.loop and model.has_clock
        takes = [
            Take(
                caption=caption,
                seed=number,
                frames=frames,
                frames_per_second=fps,
                then=tuple(then or ()),
                start=first,
                into=into,
                loop=closed,
            )
            for number, caption in wanted
        ]
        song = {
            "start": start.name if start else None,
            "best of": best_of,
            "music": (music_run or "the weights that ship") if music else None,
        }
        labels = [take.label(model, **to.settings, **song) for take in takes]
        for label in labels:
            to.require_free(label)
        to.create()
        for take, label in zip(takes, labels, strict=True):

            def compose(seconds: float, seed: int = take.seed) -> "Sound":
                return self.compose(music_run, seconds, seed, device)

            yield from take.write(model, label, to, compose if music else None, parts)


def _captions_in(hold_out: str) -> tuple[str, ...]:
    """Read the file of captions that --hold-out names."""
    from core.errors import ConfigError
    from videogen.data.records import HOLD_OUT
    from videogen.files.text import read_prompts

    if not Path(hold_out).is_file():
        raise ConfigError(
            f"--hold-out {hold_out}: neither a file nor one of {', '.join(HOLD_OUT)}"
        )
    return tuple(read_prompts(Path(hold_out)))


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
    from core.data.preparation import counted
    from videogen.data.sprites import write_sprites

    with ticking("composing") as tick:
        written = write_sprites(parts, to, count, seed, tick)
    prepared = f"pianoreel video prepare {shlex.quote(str(to / 'clips.jsonl'))}"
    print(f"{counted(written, 'clip')}: prepare them with {prepared}")


def video_group(compose: Compose) -> typer.Typer:
    """Build the group of the commands; `compose` is asked for music."""
    group = group_of(VideoCommands(compose))
    group.command(cls=OptionCommand, rich_help_panel=LEARN)(sprites)
    return group
