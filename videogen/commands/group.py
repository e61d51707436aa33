"""The commands of video. Each imports what it needs when it runs, so that --help is quick."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.app.commands.domain import DomainCommands
from core.app.commands.options import LEARN, Overwrite, Seed, Set, Shard
from core.app.output import Output
from core.app.progress import ticking
from core.data.limits import Limits
from core.errors import ConfigError, UserError
from videogen.commands.options import (
    Background,
    BestOf,
    CaptionSource,
    Check,
    ClipCount,
    ClipFrames,
    ClipRate,
    ClipSize,
    CollectionFolder,
    Colour,
    Crop,
    Damaged,
    Data,
    Enlarger,
    Fit,
    Flip,
    Formats,
    Frames,
    HoldOut,
    Hop,
    Into,
    Loop,
    MostClips,
    Music,
    MusicRun,
    Pairs,
    Parts,
    Prompts,
    Rate,
    Resize,
    RunAndCaptions,
    Scale,
    Shapes,
    ShapesSize,
    Short,
    Showing,
    Sources,
    Speed,
    SpriteCount,
    SpriteFolder,
    SpriteParts,
    StartPicture,
    Then,
)
from videogen.files import LIBRARIES

if TYPE_CHECKING:
    from videogen.captioned_clips import CaptionedClips
    from videogen.domain import Video
    from videogen.files.clip import Sound
    from videogen.model import Model
    from videogen.rendering.output import ClipOutput


Compose = Callable[[str | None, float, int, str], "Sound"]
"""A run of music or None, seconds, a seed and a device to stereo at 44.1 kHz, as long at least."""


class VideoCommands(DomainCommands):
    """Clips, from captioned videos to clips of a caption; `compose` is asked for music."""

    name = "video"
    libraries = LIBRARIES
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
            "evaluate generated/ --against data/mine",
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
        sources: Sources,
        to: CollectionFolder = None,
        size: ClipSize = 64,
        frames: ClipFrames = 16,
        fps: ClipRate = 8.0,
        fit: Fit = "crop",
        hop: Hop = None,
        most_clips: MostClips = None,
        short: Short = "pad",
        damaged: Damaged = "drop",
        captions: CaptionSource = "auto",
        hold_out: HoldOut = "auto",
        background: Background = "#000000",
        check: Check = False,
        shard: Shard = None,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.data.preparation import Part
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
        config = self.prepare_config(PrepareConfig, chosen, settings)
        if part and to:
            return prepare_part(sources, to, part, config, jobs=jobs, tick=tick)
        return prepare(sources, to, config, jobs=jobs, tick=tick)

    def open_data(
        self,
        preset: str,
        data: Data = None,
        shapes: Shapes = False,
        pairs: Pairs = False,
        showing: Showing = "",
        size: ShapesSize = None,
    ) -> "CaptionedClips":
        from videogen.captioned_clips import find_data

        return find_data(data, shapes, pairs, preset, showing, size)

    def train_options(
        self, flip: Flip = None, crop: Crop = None, speed: Speed = None, colour: Colour = None
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
        formats: Formats = None,
        scale: Scale = None,
        resize: Resize = None,
        enlarger: Enlarger = None,
        loop: Loop = False,
        overwrite: Overwrite = False,
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
        arguments: RunAndCaptions = None,
        prompts: Prompts = None,
        count: ClipCount = 1,
        frames: Frames = None,
        fps: Rate = None,
        then: Then = None,
        into: Into = None,
        start: StartPicture = None,
        best_of: BestOf = None,
        music: Music = False,
        music_run: MusicRun = None,
        parts: Parts = False,
    ) -> Iterator[Path]:
        from videogen.files.text import read_prompts
        from videogen.model import Model
        from videogen.rendering.take import Take

        if music_run is not None and not music:
            raise ConfigError("--music-run is for --music: give that with it")
        run, captions = self.domain().leading_run(arguments or [])
        for text in [run or "", *captions]:
            _require_no_file(self.domain(), text)
        captions += read_prompts(prompts) if prompts else []
        model = Model.load(run, device)
        model = model.best_of(best_of) if best_of else model
        captions = _captions_for(model, captions)
        to = to.of(model)
        to.require_sound(music)
        take_of = partial(
            Take,
            frames=frames,
            frames_per_second=fps,
            then=tuple(then or ()),
            start=model.first_frame(start) if start else None,
            into=into,
            loop=to.loop and model.has_clock,
        )
        wanted = (caption for caption in captions for _ in range(count))
        takes = [take_of(caption, number) for number, caption in enumerate(wanted, seed)]
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

    def further(self) -> Iterable[tuple[str, Callable[..., None]]]:
        return [(LEARN, sprites)]

    def limits(self) -> Mapping[str, Limits]:
        from videogen.files.limits import VideoLimits

        return {"video file": VideoLimits()}


def _require_no_file(domain: "Video", text: str) -> None:
    """Refuse the name of a film or a picture in the place of a run or a caption."""
    from core.app.latent_commands import names_file

    if names_file(domain, text):
        raise ConfigError(
            f"{text} names a file, and is no caption: --start begins clips with it, and "
            "`pianoreel video vary` makes variations of it"
        )


def _captions_for(model: "Model", captions: list[str]) -> list[str]:
    """Return the captions to sample, by default the examples that a model names."""
    if captions and not model.reads_captions:
        raise UserError(
            f"{model.name} reads no captions: leave them out, --count says how many clips"
        )
    captions = captions or list(model.spec.examples if model.reads_captions else [""])
    model.warn_of(captions)
    return captions


def _captions_in(hold_out: str) -> tuple[str, ...]:
    """Read the file of captions that --hold-out names."""
    from videogen.data.records import HOLD_OUT
    from videogen.files.text import read_prompts

    if not Path(hold_out).is_file():
        raise ConfigError(
            f"--hold-out {hold_out}: neither a file nor one of {', '.join(HOLD_OUT)}"
        )
    return tuple(read_prompts(Path(hold_out)))


def sprites(
    parts: SpriteParts, to: SpriteFolder, count: SpriteCount = 1000, seed: Seed = 0
) -> None:
    """Compose captioned clips of characters from sheets of the Liberated Pixel Cup.

    pianoreel video sprites parts/ --to sprites --count 1000

    pianoreel video prepare sprites/clips.jsonl --to data/sprites --frames 8 --fps 8
    """
    from core.wording import counted
    from videogen.data.sprites import write_sprites

    with ticking("composing") as tick:
        written = write_sprites(parts, to, count, seed, tick)
    prepared = f"pianoreel video prepare {shlex.quote(str(to / 'clips.jsonl'))}"
    print(f"{counted(written, 'clip')}: prepare them with {prepared}")
