"""A video model as its user meets it: train on captioned clips, load, sample from sentences.

train("data/clips", "runs/clips", preset="small")
model = Model.load("runs/clips")           # or Model.load() for the weights that ship
clips = model.clips(["A small red circle is moving in a zigzag path towards north"], seed=1)
write_mp4(to_frames(clips)[0], "clip.mp4", model.spec.frames_per_second)
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import torch
from pydantic import Field

from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain
from core.app.fit import fit
from core.app.latent import LatentPoints
from core.app.model import Trained
from core.config import Strict
from core.errors import ConfigError, UserError
from core.recipes import Recipe
from core.theory.passes import Batch, Networks, read_condition
from core.training.device import choose_device
from core.training.loop import UNMONITORED, Monitor, Observe
from core.training.run import Run
from core.training.step import Batches
from videogen.files.clip import Clips, FrameBatch, to_clips
from videogen.files.reading import VIDEO
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.gist import ClipByGist
from videogen.networks.text import Captions
from videogen.presets import DEFAULT_PRESET, PRESETS, SHAPES_SIZE
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.grammar import Split
from videogen.shapes.judge import agreement

DOMAIN = Domain(
    name="video",
    presets=PRESETS,
    shipped=Path(__file__).parent / "weights",
    default="shapes",
    offers=frozenset({"condition", "gist", "other"}),
    aliases={},
    files=VIDEO,
    recipes=RECIPES,
)
CHUNK = 64
"""Clips that are made at once."""
EXAMPLES = 8


@runtime_checkable
class Clipped(Protocol):
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


def find_data(
    folder: Path | None, shapes: bool, pairs: bool, preset: str, showing: str = ""
) -> Clipped:
    """The collection in `folder`, or moving shapes of the preset's size."""
    if bool(folder) == shapes or ((pairs or showing) and not shapes):
        raise ConfigError("give either DATA, or --shapes (and with it --pairs, --showing)")
    if folder is None:
        counts = (1, 2) if pairs else (1,)
        return MovingShapes(SHAPES_SIZE.get(preset, 64), counts=counts, showing=showing)
    from videogen.data.collection import Collection

    return Collection.open(folder)


def find_other(told: str | None, data: Clipped) -> Clipped | None:
    """A second collection: a folder, or beside moving shapes those whose captions have a word."""
    if told is None:
        return None
    if isinstance(data, MovingShapes):
        return MovingShapes(data.size, data.frames, data.counts, showing=told)
    from videogen.data.collection import Collection

    return Collection.open(told)


class DataSpec(Strict):
    """What a clip is, and which words its captions have. Networks are built for one form.

    `shapes`: how many moving shapes a clip may show; 0 for clips from files; `showing`: the word
    that their captions have. `examples`: captions of the training data, to try the model with.
    """

    size: int = Field(ge=16, le=256)
    frames: int = Field(ge=2, le=256)
    frames_per_second: float = Field(gt=0)
    words: tuple[str, ...]
    shapes: int = 0
    showing: str = ""
    examples: tuple[str, ...] = ()


class VideoModel(ModelConfig):
    """A model of video: its recipe, what differs from it, its networks' sizes.

    `pairs`: whether a critic that sees the caption is also shown wrong ones. Without it and
    without `video.gist` this is the paper's DT2V, without the gist alone PT2V.
    """

    known_recipes: ClassVar[Mapping[str, Recipe]] = RECIPES

    video: VideoConfig = VideoConfig()
    pairs: bool = True

    @property
    def resolved_recipe(self) -> Recipe:
        """The recipe for networks that are all given the caption."""
        resolved_recipe = super().resolved_recipe.conditional().pairing(self.pairs)
        return (
            resolved_recipe
            if self.video.gist
            else resolved_recipe.without({"reconstruct_gist", "coherence"})
        )


class VideoRun(RunConfig):
    """All that a run needs in order to be understood and repeated.

    `wrong_captions`: each clip is given its neighbour's caption. What such a model scores is
    chance, beside which others are measured.
    """

    model: VideoModel
    spec: DataSpec
    wrong_captions: bool = False


def configure(
    data: Clipped,
    model: str = "gist",
    preset: str = DEFAULT_PRESET,
    assignments: Sequence[str] = (),
    other: Clipped | None = None,
) -> VideoRun:
    """The preset's configuration for this data, with `a.b=value` assignments on top.

    `other`: the second collection of a model that goes between two.
    """
    spec = DataSpec(
        size=data.size,
        frames=data.frames,
        frames_per_second=data.frames_per_second,
        words=data.words,
        shapes=max(data.counts) if isinstance(data, MovingShapes) else 0,
        showing=data.showing if isinstance(data, MovingShapes) else "",
        examples=tuple(dict.fromkeys(data.batch(0, EXAMPLES, seed=0)[1])),
    )
    values = {"spec": spec.model_dump(mode="json"), "data_sha256": data.digest}
    if other:
        if (other.size, other.frames) != (data.size, data.frames):
            raise UserError("the two collections were prepared with other sizes or frames")
        values["other_sha256"] = other.digest
    return DOMAIN.configure(VideoRun, model, preset, values, assignments)


def networks(config: VideoRun) -> Networks:
    """The networks that the recipe asks for, for clips of the run's form."""
    model, spec = config.model, config.spec
    return build(model.video, spec.size, spec.frames, len(spec.words), model.resolved_recipe)


def batches(
    data: Clipped, config: VideoRun, device: torch.device, other: Clipped | None = None
) -> Batches:
    """Clips as x and tokens as c; each batch is a function of its number and the seed.

    With another collection its clips, and no captions: those of two clips have nothing in common.
    """
    captions, size, seed = Captions(config.spec.words), config.train.batch_size, config.train.seed

    def drawn(source: Clipped, number: int) -> tuple[Clips, list[str]]:
        frames, told = source.batch(number, size, seed)
        clips = to_clips(frames).contiguous()  # strided ones are mixed at a third of the speed
        return clips.to(device), told

    def draw(number: int) -> Batch:
        clips, told = drawn(data, number)
        if other:
            return Batch(clips, other=drawn(other, number)[0])
        if config.wrong_captions:
            told = [*told[1:], told[0]]
        return Batch(clips, captions.encode(told).to(device))

    return draw


def train(
    data: Clipped,
    to: str | Path,
    model: str = "gist",
    preset: str = DEFAULT_PRESET,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Clipped | None = None,
    monitor: Monitor = UNMONITORED,
) -> "Model":
    """Train on captioned clips into the run folder `to`; the same call resumes there.

    `other`: the second collection of a model that goes between two.
    """
    config = configure(data, model, preset, assignments, other)
    chosen = choose_device(device)
    ema = fit(
        to,
        config,
        networks,
        batches(data, config, chosen, other),
        lambda run: observer(run, data, config, other),
        chosen,
        monitor,
    )
    return Model(ema, config.model, config.spec, Path(to).name)


def observer(run: Run, data: Clipped, config: VideoRun, other: Clipped | None = None) -> Observe:
    """Samples while training: a picture of clips of fixed captions; with moving shapes the share
    of captions whose clip the judge reads otherwise.

    A model without a prior begins from clips: those of the other collection, or the data's.
    """
    from videogen.files.render import draw_grid

    seed = config.train.seed
    frames, shown = (other or data).batch(0, 8, seed + 1)
    given = to_clips(frames)
    judged = isinstance(data, MovingShapes) and not other
    told = data.batch(1, 128, seed + 1)[1] if judged else []

    def observe(ema: Networks, step: int) -> dict[str, float]:
        model = Model(ema, config.model, config.spec, run.folder.name)
        clips = model.clips(shown, seed) if model.draws else model.transform(given, shown)
        draw_grid(clips, shown, run.samples / f"step-{step:08d}.png")
        if not judged or not model.draws:
            return {}
        facts = agreement(told, model.clips(told, seed))
        return {**facts, "distance": 1 - facts["all"]}

    return observe


class Model(Trained):
    """Trained networks with what they need to make clips."""

    config: VideoModel
    spec: DataSpec
    BELONGS = (DOMAIN, VideoRun, networks)

    @property
    def captions(self) -> Captions:
        """How captions are read, with the words that are known."""
        return Captions(self.spec.words)

    @torch.no_grad()
    def clips(self, captions: Sequence[str], seed: int = 0) -> Clips:
        """One clip for each caption; the same seed gives the same clips."""
        return torch.cat([made.mean.clamp(-1, 1).cpu() for made in self._made(captions, seed)])

    @torch.no_grad()
    def encode(self, clips: Clips, captions: Sequence[str]) -> LatentPoints:
        """Where the encoder places clips."""
        tokens = self.captions.encode(captions).to(self.device)
        return self.space.encode(clips.contiguous().to(self.device), tokens)

    @torch.no_grad()
    def decode(self, points: LatentPoints) -> Clips:
        """The clips of places."""
        return self.space.decode(points).mean.clamp(-1, 1).cpu()

    @torch.no_grad()
    def translate(self, clips: Clips, back: bool = False) -> Clips:
        """Clips in the manner of the data, or `back` in the other collection's."""
        network = self.translator(back)
        made = [network(x.contiguous().to(self.device)).mean for x in clips.split(CHUNK)]
        return torch.cat(made).clamp(-1, 1).cpu()

    def transform(self, clips: Clips, captions: Sequence[str]) -> Clips:
        """What it makes of clips: translates them, or encodes and decodes."""
        if self.translates:
            return self.translate(clips)
        chunks = zip(clips.split(CHUNK), batched(captions, CHUNK), strict=True)
        return torch.cat([self.decode(self.encode(x, told)) for x, told in chunks])

    def reconstruct(self, clips: Clips, captions: Sequence[str]) -> Clips:
        """What comes back of the data's clips: through z, or from the other collection."""
        return self.transform(
            self.translate(clips, back=True) if self.translates else clips, captions
        )

    @torch.no_grad()
    def parts(self, captions: Sequence[str], seed: int = 0) -> dict[str, torch.Tensor]:
        """Of the same clips gist and background (pictures), mask and foreground (clips)."""
        made = [one.parts for one in self._made(captions, seed)]
        return {name: torch.cat([one[name].cpu() for one in made]) for name in made[0]}

    def _made(self, captions: Sequence[str], seed: int) -> Iterator[ClipByGist]:
        if not captions:
            raise UserError("a clip needs a caption")
        for number, chunk in enumerate(batched(captions, CHUNK)):
            torch.manual_seed(seed * 1_000_003 + number)
            c = read_condition(self.networks, self.captions.encode(chunk).to(self.device))
            z = self.prior(len(chunk), c).rsample()
            yield self.networks["decoder"](z, c)


def read_prompts(path: Path) -> list[str]:
    """The captions of a text file, one in each line; `UserError` where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    captions = [line.strip() for line in lines if line.strip()]
    if not captions:
        raise UserError(f"{path} holds no caption: write one in each line")
    return captions


def batched(captions: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The captions in groups of `size`, the last one smaller."""
    for start in range(0, len(captions), size):
        yield captions[start : start + size]
