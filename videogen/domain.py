"""The domain of video: what captioned clips hand over to the commands that all domains share."""

import logging
from collections.abc import Callable, Iterator, Sequence
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.app.domain import Domain, Examples
from core.app.evaluation import Evaluation
from core.app.label import origin
from core.app.output import Output
from core.data.preparation import Tasks, unshown
from core.errors import ConfigError, UserError
from core.files import as_text
from core.theory.contracts import require
from core.theory.passes import Networks
from core.training.device import choose_device
from core.training.step import Batches
from videogen.batches import ClipBatches
from videogen.captioned_clips import CaptionedClips
from videogen.configuration import DataSpec, VideoRun
from videogen.data.augmentation import Augmentation
from videogen.data.collection import Collection
from videogen.data.division import can_be_recombined, halves_of
from videogen.data.sources.captioned import Captioned
from videogen.data.sources.listing import listing
from videogen.familiarity import MOST_CAPTIONS
from videogen.files.clip import Clips, to_clips, to_frames
from videogen.files.reading import VIDEO, read_first_frames
from videogen.networks.build import build
from videogen.networks.text import Captions
from videogen.presets import PRESETS
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes

if TYPE_CHECKING:
    from videogen.measures.folder import FolderOfClips
    from videogen.model import Model

LOG = logging.getLogger("pianoreel")

EXAMPLES = 8
"""Training captions that a run keeps, to try the model with."""

NOTHING_NOVEL = (
    "no halves of two captions can be joined to a new one, as in `a dog sleeps` from `a dog runs` "
    "and `a cat sleeps`: leave out model.weights.novel_match_sharpness and "
    "model.weights.novel_keep_pyramid, or prepare the clips with --hold-out composition"
)


class Video(Domain[CaptionedClips, VideoRun, Clips, "Model"]):
    """Clips with captions: x is [batch rgb time height width] in [-1, 1], c is tokens."""

    name = "video"
    item = "clip"
    presets = PRESETS
    shipped = Path(__file__).parent / "weights"
    default_run = "shapes"
    default_latent_run = "shapes"
    default_model = "gist_flow"
    offers = frozenset(
        {"condition", "maps", "gist", "streams", "other", "novel"}
        | {"critic_frames", "critic_clips", "critic_patches", "critic_details"}
    )
    recipes = RECIPES
    suffixes = VIDEO
    measures_folders = True
    config = VideoRun
    axes = {"condition": "batch word token", "x": "batch rgb time height width"}
    tags = ("text-to-video", "video-generation")

    def open(self, folder: Path) -> CaptionedClips:
        return Collection.open(folder)

    def spec_of(self, data: CaptionedClips) -> dict[str, Any]:
        shapes = data if isinstance(data, MovingShapes) else None
        spec = DataSpec(
            size=data.size,
            frames=data.frames,
            frames_per_second=data.frames_per_second,
            words=data.words,
            shapes=max(shapes.counts) if shapes else 0,
            showing=shapes.showing if shapes else "",
            examples=tuple(dict.fromkeys(data.batch(0, EXAMPLES, seed=0)[1])),
            captions=() if shapes else tuple(data.captions_in_training(MOST_CAPTIONS)),
            **(data.framing if isinstance(data, Collection) else {}),
        )
        return spec.model_dump(mode="json")

    def settings_of(self, data: CaptionedClips) -> dict[str, Any]:
        """Give each of several moving shapes a clause of its own."""
        clauses = max(data.counts) if isinstance(data, MovingShapes) else 1
        return {"model": {"video": {"clauses": clauses}}}

    def require_same_spec(self, data: CaptionedClips, other: CaptionedClips) -> None:
        if (other.size, other.frames) != (data.size, data.frames):
            raise UserError("the two collections were prepared with other sizes or frames")

    def networks(self, config: VideoRun) -> Networks:
        model, spec = config.model, config.spec
        return build(model.video, spec.size, spec.frames, len(spec.words), model.resolved_recipe)

    def batches(
        self,
        data: CaptionedClips,
        config: VideoRun,
        device: torch.device,
        other: CaptionedClips | None = None,
    ) -> Batches:
        """Clips as x and tokens as c.

        With another collection its clips, and no captions: those of two clips are unrelated.
        """
        if config.spec.shapes and config.augment != Augmentation():
            raise ConfigError(
                "augment changes clips of files, and no moving shapes: leave --flip, --crop, "
                "--speed and --colour out with --shapes"
            )
        tokens = Captions(config.spec.words, config.model.video.clauses)
        needs_novel = "novel" in config.model.resolved_recipe.needs
        halves = halves_of(data.captions_in_training(MOST_CAPTIONS)) if needs_novel else {}
        if needs_novel and not can_be_recombined(halves):
            raise ConfigError(NOTHING_NOVEL)
        return ClipBatches(
            data=data,
            config=config,
            device=device,
            other=other,
            tokens=tokens,
            augment=config.augment,
            halves=halves,
        )

    def examples(self, data: CaptionedClips, count: int, seed: int) -> Examples:
        """Return clips that are held out and clips that are trained on, in turn.

        Of held-out clips there may be a single one, whose caption alone would show little.
        """
        splits = tuple(dict.fromkeys((data.splits[-1], data.splits[0])))
        each = [data.batch(0, -(-count // len(splits)), seed + 1, split) for split in splits]
        frames = np.stack([one for one, _ in each], 1)  # [turn split time row column rgb]
        captions = [
            caption for turn in zip(*(of for _, of in each), strict=True) for caption in turn
        ]
        clips = to_clips(frames.reshape(-1, *frames.shape[2:])[:count])  # of [sample time ...]
        return Examples(clips, captions[:count])

    def read(self, model: "Model", path: Path) -> Examples:
        """Read a video's first clip and its caption (see `videogen.data.sources`).

        The last frame of a video that is too short is repeated, and one that is longer said to
        be; of several captions the first counts. Where a model that knows no sentence like the
        name of a file knows that of its folder, this is the caption.
        """
        spec = model.spec
        if not (path.exists() or has_magic(str(path))):
            raise UserError(f"{path}: there is no such file: correct its path")
        captioned, *others = listing([str(path)]).clips
        if count := len({clip.name for clip in others} - {captioned.name}):
            raise UserError(f"{path} holds {1 + count} clips: name one of them")
        if captioned.fault:
            raise UserError(f"{path}: {captioned.fault[1]}")
        frames = read_first_frames(path, captioned.files, spec.view, spec.frames + 1)
        if len(frames) > spec.frames:
            LOG.warning(
                "%s: its first %.1f seconds are read, as long as a clip of the model is",
                *(as_text(path.name), spec.seconds),
            )
        first = np.minimum(np.arange(spec.frames), len(frames) - 1)
        clips, captions = to_clips(frames[first][None]), [_caption(model, path, captioned)]
        return Examples(clips, captions, captions)

    def condition(self, text: str, seed: int) -> tuple[Sequence[str], int]:
        """Read a text as a caption."""
        return [text], seed

    def write(
        self,
        model: "Model",
        items: Clips,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[Any] | None = None,
    ) -> Iterator[Path]:
        """Write clips in the formats of `to`, and beside each the caption that it comes from."""
        from videogen.files.label import Label
        from videogen.rendering.output import ClipOutput, write_clip

        is_own = isinstance(to, ClipOutput)
        output = (to if is_own else ClipOutput(to.folder, overwrite=to.overwrite)).of(model)
        captions = sources or [None] * len(items)
        each = zip(titles, captions, to_frames(items), strict=True)
        for number, (title, caption, frames) in enumerate(each, 1):
            label = Label(f"{name}-{number:03d}" if len(items) > 1 else name, title, "", caption)
            label = label._replace(origin=origin(label.name))
            clip = output.finished(frames)
            yield from write_clip(clip, label, output, model.spec.frames_per_second)

    def show(self, model: "Model", items: Clips, titles: Sequence[str], path: Path) -> None:
        """Draw the filmstrips of clips."""
        from videogen.rendering.filmstrip import draw_grid

        draw_grid(items, titles, path)

    def measures(
        self, data: CaptionedClips, config: VideoRun, other: CaptionedClips | None = None
    ) -> "Callable[[Model], dict[str, float]]":
        """Return the measure of captions of moving shapes, or of reconstructions of clips."""
        from videogen.measures.progress import agreement_of, reconstructions_of

        if other is not None:
            return super().measures(data, config, other)
        seed = config.train.seed
        if isinstance(data, MovingShapes):
            measure = agreement_of(data, seed)
        else:
            measure = reconstructions_of(require(data, Collection), seed)
        return measure

    def subject(self, name: str | None, device: str = "auto") -> "Model | FolderOfClips":
        from videogen.measures.folder import FolderOfClips

        one = super().subject(name, device)
        return FolderOfClips(one, choose_device(device)) if isinstance(one, Path) else one

    def data_of(self, subject: "Model | FolderOfClips") -> CaptionedClips:
        from videogen.measures.evaluation import data_of
        from videogen.measures.folder import FolderOfClips

        is_folder = isinstance(subject, FolderOfClips)
        return super().data_of(subject) if is_folder else data_of(subject.spec)

    def evaluate(
        self,
        models: "Sequence[Model | FolderOfClips | Path]",
        data: CaptionedClips,
        count: int,
        seed: int,
        other: CaptionedClips | None = None,
        tasks: Tasks = unshown,
    ) -> Evaluation:
        """Measure whether clips show what their captions say, beside real clips and chance.

        They are those of models, and of folders of films.

        The first evaluation against a collection trains a classifier of it, which is kept.
        """
        from videogen.measures import evaluation, scorecard

        report = evaluation.evaluate(models, data, count, seed, other, tasks)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)


def _caption(model: "Model", path: Path, captioned: Captioned) -> str:
    """Return a file's caption: that of its folder where the model knows this and not its name."""
    if captioned.origin == "name" and model.objection(captioned.caption):
        in_folder = listing([str(path)], "folder").clips[0]
        if not (in_folder.fault or model.objection(in_folder.caption)):
            return in_folder.caption
    return captioned.caption
