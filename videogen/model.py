"""A video model as its user meets it: train on captioned clips, load, sample from captions.

train(Collection.open("data/clips"), "runs/clips", preset="small")
model = Model.load("runs/clips")           # or Model.load() for the weights that ship
clips = model.clips(["A small red circle is moving in a zigzag path towards north"], seed=1)
write_mp4(to_frames(clips)[0], "clip.mp4", model.spec.frames_per_second)
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field
from torch import Tensor

from core.app import fit
from core.app.configuration import CHANGEABLE, ModelConfig, RunConfig
from core.app.domain import Domain, Examples, Tick
from core.app.evaluation import Evaluation
from core.app.label import origin
from core.app.latent import Kept, LatentSpace
from core.app.model import Model as CoreModel
from core.app.output import Output
from core.app.sampling import LARGEST_CHUNK, Rows, draw_chunks, in_chunks
from core.config import Strict, listed, positive, whole
from core.data.collection import Split
from core.data.preparation import counted
from core.data.sources import RejectedFile
from core.errors import ConfigError, UserError
from core.files import as_text
from core.recipes import Recipe
from core.theory.contracts import require
from core.theory.distributions import Distribution
from core.theory.passes import Batch, Networks
from core.theory.shapes import Samples
from core.theory.terms import Match
from core.training.loop import UNMONITORED, Monitor
from core.training.step import Batches
from videogen.continuation import Clock, Continuation, Timing
from videogen.data.augmentation import Augmentation
from videogen.data.sources import Captioned, listing
from videogen.familiarity import MOST_CAPTIONS, Familiarity, never_seen, shortened
from videogen.files.clip import Clips, FrameBatch, Frames, Image, to_clips, to_frames
from videogen.files.frame import View
from videogen.files.limits import MOST_FRAMES
from videogen.files.pictures import PICTURES
from videogen.files.reading import VIDEO, SquareFrames, read_frames
from videogen.files.text import decode
from videogen.files.tree import File
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.enlarger import Enlarger
from videogen.networks.layers import LayeredClip
from videogen.networks.text import Captions, Condition, Tokens
from videogen.presets import PRESETS, SHAPES_SIZE
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes

LOG = logging.getLogger("pianoreel")

EXAMPLES = 8
"""Training captions that a run keeps, to try the model with."""


FRAMING = ("spec.fit", "spec.background")
"""Settings that say how films are framed; runs of earlier versions did not keep them."""


@runtime_checkable
class CaptionedClips(Protocol):
    """Captioned clips to train on: a prepared collection, or moving shapes."""

    @property
    def size(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def frames_per_second(self) -> float: ...
    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def digest(self) -> str: ...
    @property
    def splits(self) -> tuple[Split, ...]: ...
    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]: ...
    def captions_in_training(self, most: int) -> list[str]: ...


def find_data(
    folder: Path | None,
    shapes: bool,
    pairs: bool,
    preset: str,
    showing: str = "",
    size: int | None = None,
) -> CaptionedClips:
    """Open the collection in `folder`, or build moving shapes, by default of the preset's size."""
    if bool(folder) == shapes or ((pairs or showing or size) and not shapes):
        raise ConfigError("give either DATA, or --shapes (and with it --pairs, --showing, --size)")
    if folder is None:
        counts = (1, 2) if pairs else (1,)
        size = size or SHAPES_SIZE.get(preset, 64)
        return MovingShapes(size, counts=counts, showing=showing)
    return DOMAIN.open(folder)


def find_other(name: str | None, data: CaptionedClips) -> CaptionedClips | None:
    """Open a second collection: a folder, or moving shapes with a word in their captions."""
    if name is None:
        return None
    if isinstance(data, MovingShapes):
        return MovingShapes(data.size, data.frames, data.counts, showing=name)
    return DOMAIN.open(Path(name))


class DataSpec(Strict):
    """The specification of a clip and of its captions' words. Networks are built for one.

    `shapes`: the most moving shapes in a clip, 0 for clips from files; `showing`: the word that
    their captions have. `examples`: captions of the training data, to try the model with.
    `captions`: distinct captions of clips from files, with which others are compared. `fit` and
    `background`: how films are framed (see `videogen.files.frame.View`).
    """

    size: int = Field(ge=16, le=256)
    frames: int = Field(ge=2, le=256)
    frames_per_second: float = Field(gt=0)
    words: tuple[str, ...]
    shapes: int = 0
    showing: str = ""
    examples: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    fit: Literal["crop", "fit", "stretch"] = "crop"
    background: str = "#000000"

    @property
    def view(self) -> View:
        """Return how films are read."""
        return View.model_validate(self.model_dump(include=set(View.model_fields)))

    @property
    def seconds(self) -> float:
        """Return the duration of a clip."""
        return self.frames / self.frames_per_second


class VideoModel(ModelConfig):
    """A model of video: its recipe, what differs from it, its networks' sizes.

    `mismatched`: whether the critics that a recipe shows wrong captions see them. Without them and
    without `video.gist` text_to_video is the paper's DT2V, without the gist alone PT2V.
    `enlarger`: the run, or the shipped weights, by which its clips are enlarged.
    """

    known_recipes: ClassVar[Mapping[str, Recipe]] = RECIPES

    video: VideoConfig = VideoConfig()
    mismatched: bool = True
    enlarger: str = ""

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe for networks that are all conditioned on the caption, if any.

        `ConfigError` for a prior over codes of moments with another decoder.
        """
        recipe = super().resolved_recipe
        over_codes = any(
            isinstance(term, Match) and term.space in ("prior", "prior_c") for term in recipe.terms
        )
        if over_codes != (self.video.decoder == "moments"):
            right = "moments" if over_codes else "gist, path or streams"
            raise ConfigError(f"{self.recipe} needs another decoder: model.video.decoder={right}")
        if not self.video.captions:
            return recipe.unconditional()
        recipe = recipe.conditional()
        if not self.mismatched:
            recipe = recipe.without_mismatched()
        if self.video.gist:
            return recipe
        return recipe.without({"reconstruct_gist", "coherence"})


class VideoRun(RunConfig):
    """All that a run needs in order to be understood and repeated.

    `wrong_captions`: each clip is given its neighbour's caption. What such a model scores is
    chance, beside which others are measured. `augment`: changes of clips from files.
    """

    changeable: ClassVar[tuple[str, ...]] = (*CHANGEABLE, "spec.captions", *FRAMING)
    """Runs of earlier versions keep no captions."""

    model: VideoModel
    spec: DataSpec
    augment: Augmentation = Augmentation()
    wrong_captions: bool = False


@dataclass(frozen=True)
class _ClipBatches:
    """Draws clips as x and tokens as c, see `Video.batches`; those of files are changed."""

    data: CaptionedClips
    config: VideoRun
    device: torch.device
    other: CaptionedClips | None
    tokens: Captions
    augment: Augmentation

    def at(self, used: float) -> "_ClipBatches":
        """Return the batches where this share of the training's budget is used."""
        return replace(self, augment=self.config.augment.at(used))

    def __call__(self, number: int) -> Batch:
        clips, captions = self._clips(self.data, number)
        if self.other is not None:
            return Batch(clips, other=self._clips(self.other, number)[0])
        if not self.config.model.video.captions:
            return Batch(clips)
        if self.config.wrong_captions:
            captions = [*captions[1:], captions[0]]
        return Batch(clips, self.tokens.encode(captions).to(self.device))

    def _clips(self, source: CaptionedClips, number: int) -> tuple[Clips, list[str]]:
        from videogen.data.collection import Collection

        size, seed = self.config.train.batch_size, self.config.train.seed
        if not isinstance(source, Collection):
            shapes = require(source, MovingShapes)
            return shapes.clips(number, size, seed, device=self.device)
        frames, captions = source.batch(number, size, seed, "train", self.augment)
        clips = to_clips(frames).contiguous()  # strided ones cost three times as much
        return clips.to(self.device), captions


class Video(Domain):
    """Clips with captions: x is [batch rgb time height width] in [-1, 1], c is tokens."""

    name = "video"
    item = "clip"
    presets = PRESETS
    shipped = Path(__file__).parent / "weights"
    default_run = "shapes"
    default_latent_run = "shapes"
    default_model = "gist_flow"
    offers = frozenset(
        {"condition", "maps", "gist", "streams", "other"}
        | {"critic_frames", "critic_clips", "critic_patches"}
    )
    recipes = RECIPES
    suffixes = VIDEO
    config = VideoRun
    axes = {"condition": "batch word token", "x": "batch rgb time height width"}
    tags = ("text-to-video", "video-generation")

    @property
    def model(self) -> "type[Model]":
        return Model

    def open(self, folder: Path) -> CaptionedClips:
        from videogen.data.collection import Collection

        return Collection.open(folder)

    def spec_of(self, data: CaptionedClips) -> dict[str, Any]:
        from videogen.data.collection import Collection

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
        return _ClipBatches(data, config, device, other, tokens, config.augment)

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
        captioned, *others = listing([str(path)]).clips
        if count := len({clip.name for clip in others} - {captioned.name}):
            raise UserError(f"{path} holds {1 + count} clips: name one of them")
        if captioned.fault:
            raise UserError(f"{path}: {captioned.fault[1]}")
        frames = _read_frames(path, captioned.files, spec, spec.frames + 1)
        if len(frames) > spec.frames:
            LOG.warning(
                "%s: its first %.1f seconds are read, as many as a clip of %s has",
                *(as_text(path.name), spec.seconds, model.name),
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
    ) -> "Callable[[CoreModel], dict[str, float]]":
        """Return the measure of captions of moving shapes, or of reconstructions of clips."""
        from videogen.data.collection import Collection
        from videogen.measures.progress import agreement_of, reconstructions_of

        if other is not None:
            return super().measures(data, config, other)
        seed = config.train.seed
        if isinstance(data, MovingShapes):
            measure = agreement_of(data, seed)
        else:
            measure = reconstructions_of(require(data, Collection), seed)
        return lambda model: measure(require(model, Model))

    def data_of(self, subject: "Model") -> MovingShapes:
        from videogen.measures.evaluation import data_of

        return data_of(subject.spec)

    def evaluate(
        self,
        models: "Sequence[Model]",
        data: CaptionedClips,
        count: int,
        seed: int,
        other: CaptionedClips | None = None,
        tick: Tick = lambda done, total: None,
    ) -> Evaluation:
        """Measure whether clips show what their captions say, beside real clips and chance.

        The first evaluation against a collection trains a classifier of it, which is kept.
        """
        from videogen.measures import evaluation, scorecard

        report = evaluation.evaluate(models, data, count, seed, other, tick)
        return Evaluation(report, scorecard.tables, scorecard.draw_report, scorecard.WIDTH)


DOMAIN = Video()


class Model(CoreModel):
    """Trained networks with what they need to make clips."""

    domain = DOMAIN
    config: VideoModel
    spec: DataSpec

    @property
    def space(self) -> LatentSpace:
        """Return its latent space; `UserError` where it has none."""
        if self.enlarges:
            raise UserError(
                f"{self.name} enlarges clips and has no latent space: sample from another model "
                f"with --enlarger {self.name}"
            )
        return replace(super().space, tries=self.config.video.tries)

    @property
    def enlarges(self) -> bool:
        """True for a model of super-resolution."""
        return self.config.video.decoder == "enlarged"

    def enlarger(self, run: str | None = None) -> "Model | None":
        """Load the model that enlarges its clips, by default its own, if it has one.

        `UserError` where the run enlarges no clips.
        """
        name = self.config.enlarger if run is None else run
        model = Model.load(name, str(self.device)) if name else None
        if model and not model.enlarges:
            raise UserError(
                f"{name} does not enlarge clips: train a model that does with "
                "--model super_resolution"
            )
        return model

    @torch.no_grad()
    def enlarged(self, frames: Frames) -> UInt8[np.ndarray, "time row column 3"]:
        """Enlarge frames of any size by a model of super-resolution."""
        network = require(self.networks["decoder"], Enlarger)
        small = to_clips(frames[None])[0].transpose(0, 1)  # [time rgb row column]
        large = [network.frames(part.to(self.device)) for part in small.split(LARGEST_CHUNK)]
        clip = torch.cat(large).transpose(0, 1)  # [rgb time height width]
        return to_frames(self.from_x(clip[None]))[0]

    def transform(
        self, items: Clips, conditions: Sequence[str] | None = None, seed: int = 0
    ) -> Clips:
        """Return reconstructions of clips; of super-resolution clips that are shrunk first."""
        if not self.enlarges:
            return super().transform(items, conditions, seed)
        encoder, decoder = self.networks["encoder"], self.networks["decoder"]

        def draw(rows: Rows) -> Samples:
            x = self.to_x(items[rows])
            return decoder(encoder(x).representative).representative

        with torch.no_grad():
            return self.from_x(in_chunks(len(items), seed, self.device, draw))

    def best_of(self, tries: int) -> "Model":
        """Return the model that samples each clip as the best of several.

        By the ratio of densities that it has learned, else the one that it reconstructs best, see
        `LatentSpace.sample`: mostly clips whose parts keep their form. `UserError` without an
        encoder.
        """
        if "encoder" not in self.networks:
            raise UserError(
                f"{self.name} has no encoder, by which the best of several clips is known: leave "
                "out --best-of, or sample from a model that reconstructs, such as gist_flow"
            )
        video = self.config.video.replace(tries=whole("tries", tries))
        return Model(self.networks, self.config.replace(video=video), self.spec, self.name)

    @property
    def reads_captions(self) -> bool:
        """Return whether its clips depend on captions."""
        return self.config.video.captions

    @property
    def captions(self) -> Captions:
        """Return the tokenizer, with its vocabulary."""
        return Captions(self.spec.words, self.config.video.clauses)

    @cached_property
    def familiarity(self) -> Familiarity | None:
        """Return how near captions are to those in training; None where these are not known."""
        captions = self.spec.captions
        if self.spec.shapes:
            captions = self.domain.data_of(self).captions_in_training(MOST_CAPTIONS)
        if not captions or "condition" not in self.networks:
            return None
        return Familiarity(captions, self._conditions, self._clauses_of)

    def _clauses_of(self, caption: str) -> list[str]:
        """Return the clauses of a caption, those too that are more than the model reads apart."""
        if self.captions.clauses == 1:
            return [caption]
        apart = Captions((), clauses=len(caption) + 1)
        return [" ".join(words) for words in apart.clauses_of(caption)]

    @torch.no_grad()
    def _conditions(self, captions: Sequence[str]) -> Condition:
        c = self.conditioning(captions)
        assert c is not None
        return c.cpu()

    def objection(self, condition: str) -> str:
        """Return why the model may not understand a caption; empty where it should.

        >>> Model.load("shapes", "cpu").objection("a purple dog").split(" (")[1].split(";")[0]
        'it has words never seen there: purple, dog)'
        """
        if not self.reads_captions:
            if not condition:
                return ""
            return f"{self.name} reads no captions: its clips have nothing to do with them"
        unknown = self.captions.unknown(condition)
        if self.familiarity:
            return self.familiarity.objection(condition, unknown)
        seen = f'"{shortened(condition)}" is not like the training: it has {never_seen(unknown)}'
        return seen if unknown else ""

    def to_x(self, items: Clips) -> Samples:
        return items.contiguous().to(self.device)

    def from_x(self, x: Samples) -> Clips:
        return x.clamp(-1, 1).cpu()

    def read_conditions(self, conditions: Sequence[str] | None) -> Tokens | None:
        """Return the tokens of captions; None for a model that reads none."""
        if conditions is None or not self.reads_captions:
            return None
        return self.captions.encode(conditions).to(self.device)

    def example_conditions(self, count: int) -> Tokens | None:
        """Return the tokens of captions of the training data."""
        captions = self.spec.examples or ("",)
        return self.read_conditions([captions[n % len(captions)] for n in range(count)])

    def clips(
        self,
        captions: Sequence[str],
        seed: int = 0,
        frames: int | None = None,
        frames_per_second: float | None = None,
        then: Sequence[str] = (),
        start: Image | None = None,
        into: str | None = None,
        loop: bool = False,
    ) -> Clips:
        """Sample one clip for each caption, a list of at least one.

        `frames`: their number, 1 to 4096, by default that of the training, or as many as last as
        long at `frames_per_second`; more are the same motion seen more often, or go on with it.
        `then`: captions that follow in every clip. `start`: the first frame
        [3 height width], in [-1, 1]. `into`: a caption into which every clip changes on its way.
        `loop`: clips that end as they begin, by default almost twice as long. See
        `videogen.continuation`.

        A clip depends on the seed (0 to 2^63 - 1), its number and its caption alone. Logs a
        warning of captions that are not like those in training. `ConfigError` where captions are
        no list of sentences, both `then` and `into` are given, or there are too few frames for
        them; `UserError` where the model has no clock.
        """
        self._require(captions, then, start, into)
        captions, further = list(captions), [*then, into] if into else list(then)
        self.warn_of([*captions, *further])
        as_trained = frames is None and frames_per_second is None and start is None
        if as_trained and not (further or loop):
            return self.sampled_like(Examples(captions, captions), seed)
        continuation = self._continuation()
        clips = 1 + len(then)
        timing = self._timing(continuation, frames, frames_per_second, clips, loop)
        if further and not continuation.reaches(timing, clips, loop):
            enough = max(2, continuation.frames(clips, timing.pace, loop))
            raise ConfigError(
                f"a clip of {counted(timing.frames, 'frame')} is over before the last caption "
                f"begins: give {enough}, or leave their number out"
            )

        def draw(rows: Rows) -> Samples:
            said = [self._read(captions, rows)]
            said += [self._read([one] * len(captions), rows) for one in further]
            last = said.pop() if into else None
            first = None
            if start is not None:
                first = start[None, :, None].expand(len(rows), -1, 1, -1, -1).to(self.device)
            if loop:
                return continuation.loops(len(rows), said, timing, first, last)
            times = timing.times.to(self.device)
            return continuation.clips(len(rows), said, times, first, last)

        with torch.no_grad():
            return self.from_x(in_chunks(len(captions), seed, self.device, draw))

    def _timing(
        self,
        continuation: Continuation,
        frames: int | None,
        frames_per_second: float | None,
        clips: int,
        loop: bool,
    ) -> Timing:
        """Return the timing of so many clips that follow each other."""
        pace = 1.0
        if frames_per_second is not None:
            pace = positive("frames_per_second", frames_per_second) / self.spec.frames_per_second
        usual = continuation.frames(clips, pace, loop)
        if frames is not None and whole("frames", frames) > MOST_FRAMES:
            raise ConfigError(f"frames must be at most {MOST_FRAMES}, not {frames}")
        return Timing(usual if frames is None else whole("frames", frames), pace)

    def _require(
        self,
        captions: Sequence[str],
        then: Sequence[str],
        start: Image | None,
        into: str | None,
    ) -> None:
        """Raise `ConfigError` for what is none of these, or for both `then` and `into`."""
        _require_sentences("captions", captions)
        _require_sentences("then", then, 0)
        if into is not None:
            _require_sentences("into", [into])
        if then and into:
            raise ConfigError("a clip changes into another caption, or others follow: not both")
        form = (3, self.spec.size, self.spec.size)
        if start is not None and not (isinstance(start, Tensor) and start.shape == form):
            raise ConfigError(f"start must be a picture {[*form]}, as first_frame reads one")

    def first_frame(self, path: Path) -> Image:
        """Read a picture, or the first frame of a video, at the model's size."""
        return to_clips(_read_frames(path, path, self.spec, 1)[None])[0, :, 0]

    @property
    def has_clock(self) -> bool:
        """True for a model that generates clips of any length and rate."""
        decoder = dict(self.networks.items()).get("decoder")
        return isinstance(decoder, Clock) and "prior" in self.networks

    def _continuation(self) -> Continuation:
        decoder = self.networks["decoder"] if self.has_clock else None
        if not isinstance(decoder, Clock):
            raise UserError(
                f"{self.name} has no clock: it generates clips of {self.spec.frames} frames, "
                f"{self.spec.frames_per_second:g} a second, alone; models with a gist, a path "
                "of latents or streams, such as gist_flow, tfgan and vgan, generate any"
            )
        return Continuation(decoder, self.networks["prior"], self.space.sample)

    @torch.no_grad()
    def sampled_like(self, examples: Examples, seed: int) -> Clips:
        captions = examples.conditions or ()

        def draw(rows: Rows) -> Samples:
            c = self._read(captions, rows)
            if "density" in self.networks:
                return self.networks["density"](len(rows), c).rsample()
            return self._distribution(c, rows).representative

        return self.from_x(in_chunks(len(captions), seed, self.device, draw))

    @torch.no_grad()
    def parts(self, captions: Sequence[str], seed: int = 0) -> dict[str, Tensor]:
        """Gist and background (pictures), mask and foreground (clips) of the same clips.

        `UserError` for a model whose clips have no layers.
        """
        _require_sentences("captions", captions)
        count = len(captions)

        def draw(rows: Rows) -> dict[str, Tensor]:
            c = self._read(captions, rows)
            clip = self._distribution(c, rows) if "decoder" in self.networks else None
            if not isinstance(clip, LayeredClip):
                raise UserError(
                    f"{self.name} has no parts: its clips have no layers, as those of gist_flow "
                    "have"
                )
            return clip.parts

        chunks = list(draw_chunks(count, seed, self.device, draw))
        return {name: torch.cat([one[name] for one in chunks])[:count].cpu() for name in chunks[0]}

    def _read(self, captions: Sequence[str], rows: Rows) -> Tensor | None:
        """Return the captions of these rows as the networks take them, each read on its own."""
        read = [self.conditioning([str(captions[row])]) for row in rows.tolist()]
        return torch.cat([one for one in read if one is not None]) if read[0] is not None else None

    @property
    def latent_parts(self) -> Mapping[str, Kept]:
        """Return what is drawn once and what moves, of a path or of a decoder with a gist."""
        video = self.config.video
        if video.decoder == "path":
            content = torch.arange(video.latents(self.spec.frames)) < video.latent
            return {"content": content, "motion": ~content}
        if video.decoder == "gist" and video.gist:
            gist = (torch.arange(video.latent) < video.latent // 2).repeat(video.clauses)
            return {"gist": gist, "motion": ~gist}
        return {}

    def _distribution(self, c: Tensor | None, rows: Rows) -> Distribution:
        """Return p(x given z, c), z sampled from the prior."""
        return self.networks["decoder"](self.space.sample(len(rows), c), c)


def _caption(model: "Model", path: Path, captioned: Captioned) -> str:
    """Return a file's caption: that of its folder where the model knows this and not its name."""
    if captioned.origin == "name" and model.objection(captioned.caption):
        in_folder = listing([str(path)], "folder").clips[0]
        if not (in_folder.fault or model.objection(in_folder.caption)):
            return in_folder.caption
    return captioned.caption


def _read_frames(
    path: Path, source: Path | Sequence[File], spec: DataSpec, most: int
) -> SquareFrames:
    """Read the first frames as those of a model's training; `UserError` names the path."""
    try:
        return read_frames(source, spec.view, most=most)
    except RejectedFile as error:
        named = path.suffix.lower() in (*VIDEO, *PICTURES) or not path.is_file()
        why = error.detail if named else "it is neither a film nor a picture, such as .mp4, .png"
        raise UserError(f"{path}: {why}") from error


def _require_sentences(name: str, captions: Sequence[str], least: int = 1) -> None:
    listed(name, captions, "sentences", "a dog runs", least)


def train(
    data: str | Path | CaptionedClips,
    to: str | Path,
    model: str | None = None,
    preset: str | None = None,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: str | Path | CaptionedClips | None = None,
    monitor: Monitor = UNMONITORED,
    start: str | Path | None = None,
) -> Model:
    """Train on captioned clips into the run folder `to`; the same call resumes there.

    `data`: a collection, or its folder, or moving shapes. `other`: the second collection of a
    model that translates. `start`: a run whose weights the new one begins with. See
    `core.app.fit`.
    """
    return fit.train(
        DOMAIN, data, to, model, preset, device, assignments, other, monitor=monitor, start=start
    )


def read_prompts(path: Path) -> list[str]:
    """Read the captions of a text file, one in each line; `UserError` where there is none."""
    try:
        lines = decode(path.read_bytes()).splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except RejectedFile as error:
        raise UserError(f"cannot read {path}: {error.detail}") from error
    captions = [line.strip() for line in lines if line.strip()]
    if not captions:
        raise UserError(f"{path} holds no caption: write one in each line")
    return captions
