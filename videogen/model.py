"""A video model as its user meets it: train on captioned clips, load, sample from captions.

train(Collection.open("data/clips"), "runs/clips", preset="small")
model = Model.load("runs/clips")           # or Model.load() for the weights that ship
clips = model.clips(["A small red circle is moving in a zigzag path towards north"], seed=1)
write_mp4(to_frames(clips)[0], "clip.mp4", model.spec.frames_per_second)
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from core.app.domain import Examples
from core.app.latent import Kept, LatentSpace
from core.app.model import Model as CoreModel
from core.app.sampling import LARGEST_CHUNK, Rows, draw_chunks, in_chunks
from core.config import listed, positive, whole, within
from core.errors import ConfigError, UserError
from core.theory.contracts import require
from core.theory.distributions import Distribution
from core.theory.shapes import Samples
from core.wording import counted
from videogen.configuration import DataSpec, VideoModel
from videogen.continuation import Clock, Continuation, Timing
from videogen.domain import Video
from videogen.familiarity import MOST_CAPTIONS, Familiarity, never_seen, shortened
from videogen.files.clip import Clips, Frames, Image, to_clips, to_frames
from videogen.files.limits import LEAST_PACE, MOST_FRAMES, MOST_PACE, MOST_TRIES
from videogen.files.reading import read_first_frames
from videogen.networks.enlarger import Enlarger
from videogen.networks.layers import LayeredClip
from videogen.networks.text import Captions, Condition, Tokens

LOG = logging.getLogger("pianoreel")

UNLIKE_START = (
    '"%s" does not begin with the given picture: the model can show nothing like it there. Give a '
    "picture like the first frames of its training, or another caption, or train longer"
)
SMALL_ERROR = 0.01
"""A mean squared difference of a plain picture that nobody sees, in [-1, 1]."""


class Model(CoreModel[Clips]):
    """Trained networks with what they need to make clips."""

    domain: ClassVar[Video]
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
        video = self.config.video.replace(tries=whole("tries", tries, most=MOST_TRIES))
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
        warning of captions that are not like those in training, and of a `start` that no clip of
        the model begins with. `ConfigError` where captions are
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
            clips = self.from_x(in_chunks(len(captions), seed, self.device, draw))
        if start is not None:
            self._warn_of_start(captions, clips, start)
        return clips

    def _warn_of_start(self, captions: Sequence[str], clips: Clips, start: Image) -> None:
        """Warn, once for a caption, of a clip that its picture resembles less than one colour."""
        plain = start - start.mean((1, 2), keepdim=True)
        least = plain.square().mean().clamp(min=SMALL_ERROR)
        for caption, clip in zip(captions, clips, strict=True):
            key = f"start: {caption}"
            if key not in self._warned and (clip[:, 0] - start).square().mean() > least:
                LOG.warning(UNLIKE_START, shortened(caption))
                self._warned.add(key)

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
            rate = positive("frames_per_second", frames_per_second)
            within("frames_per_second", rate, LEAST_PACE, MOST_PACE)
            pace = rate / self.spec.frames_per_second
        usual = continuation.frames(clips, pace, loop)
        if frames is None and usual > MOST_FRAMES:
            raise ConfigError(
                f"a clip would have {usual} frames, and at most {MOST_FRAMES} are sampled: lower "
                "the rate, or give fewer captions in then"
            )
        return Timing(usual if frames is None else whole("frames", frames, 1, MOST_FRAMES), pace)

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
            raise ConfigError(
                "a clip changes into another caption, or others follow, not both: "
                "leave out into or then"
            )
        form = (3, self.spec.size, self.spec.size)
        if start is not None and not (isinstance(start, Tensor) and start.shape == form):
            raise ConfigError(f"start must be a picture {[*form]}, as first_frame reads one")

    def first_frame(self, path: Path) -> Image:
        """Read a picture, or the first frame of a video, at the model's size."""
        return to_clips(read_first_frames(path, path, self.spec.view, 1)[None])[0, :, 0]

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


def _require_sentences(name: str, captions: Sequence[str], least: int = 1) -> None:
    listed(name, captions, "sentences", "a dog runs", least)


DOMAIN = Model.domain = Video(Model)

train = DOMAIN.train
"""Train on captioned clips into a run folder; see `core.app.domain.Domain.train`."""
