"""Clips of any length and rate, clips that begin with given frames, and loops.

A decoder that is a function of time is sampled at any times of the clips it was trained on. Beyond
their end a clip is continued by others, of the same caption or of further ones, each of which
begins with the last frames of the one before. Latents of such a clip are sought by descending

    |x(z) - x|^2 / (2 SPREAD^2) - log p(z given c)    over the given frames x

from the nearest of `CANDIDATES` samples of the prior (Zhu, Kraehenbuehl, Shechtman and Efros,
Generative Visual Manipulation on the Natural Image Manifold, ECCV 2016, section 3.1). Where no
clip begins as the one before it ends, as of a shape that has crossed the picture, what there is
is slower, so that it lasts as long. Before a further caption there is a cut instead.

A loop is such a chain whose last clip also ends with the first frames of the first one, as people
who wave come back to where they began. Where no clip does, as of a shape that crosses the picture,
time swings there and back as a pendulum.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from core.theory.distributions import Distribution
from core.theory.shapes import Latents, Losses
from videogen.files.clip import Clips
from videogen.networks.chunks import Times
from videogen.networks.gist import Decoder
from videogen.networks.path import PathDecoder
from videogen.networks.streams import StreamsDecoder
from videogen.networks.text import Condition

OVERLAP = 2
"""Frames that a clip shares with the one that it continues; over them one fades into the other."""

CANDIDATES = 64
"""Samples of the prior of which the nearest begins the descent."""
STEPS, RATE = 60, 0.05
"""Steps of Adam, and its learning rate."""
SPREAD = 0.2
"""Standard deviation of a pixel of the given frames, in [-1, 1]."""
CLOSED = 1.0
"""Largest distance of two ends that meet, in distances of two frames in a row."""


Given = Float[Tensor, "batch 3 given height width"]
"""Some frames of clips, in [-1, 1]."""
Clock = Decoder | PathDecoder | StreamsDecoder
"""The decoders that are functions of time."""
Said = tuple[Condition | None, Condition | None]
"""The conditions with which a clip begins and ends; between them they are mixed in proportion."""
Meets = Bool[Tensor, " batch"]


@dataclass(frozen=True)
class Part:
    """One of the clips that follow each other, and where it goes on from the one before."""

    z: Latents
    said: Said
    goes_on: Meets


@dataclass(frozen=True)
class Timing:
    """When a clip's frames are seen. `pace`: frames of it for one of the training.

    >>> Timing(4).times.tolist(), Timing(3, pace=1.5).times.tolist()
    ([0.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0])
    """

    frames: int
    pace: float = 1.0

    @property
    def duration(self) -> float:
        """Return how long they last, in frames of the training."""
        return self.frames / self.pace

    @property
    def times(self) -> Times:
        """Return when each is seen, in frames of the training.

        The first and the last are those of the training where both last as long.
        """
        return torch.linspace(0, max(0.0, self.duration - 1), self.frames)


@dataclass(frozen=True)
class Continuation:
    """A decoder that is a function of time, its prior, and how latents of clips are sampled."""

    decoder: Clock
    prior: nn.Module
    sample: Callable[[int, Condition | None], Latents]

    @property
    def last(self) -> int:
        """Return the time of a clip's last frame."""
        return self.decoder.frames - 1

    @property
    def hop(self) -> int:
        """Return the frames from one clip's first to the next one's, at least one."""
        return max(1, self.decoder.frames - OVERLAP)

    def length(self, clips: int) -> int:
        """Return the frames of so many clips that continue each other."""
        return self.decoder.frames + (clips - 1) * self.hop

    def frames(self, clips: int, pace: float, loop: bool) -> int:
        """Return the usual number of frames; a loop of so many clips has almost twice as many."""
        length = 2 * clips * self.hop if loop else self.length(clips)
        return max(1, round(length * pace))

    def reaches(self, timing: Timing, clips: int, loop: bool) -> bool:
        """Return whether the last of so many clips begins before a clip ends, or turns back."""
        end = timing.duration / 2 if loop else timing.duration - 1
        return end > (clips - 1) * self.hop

    def clips(
        self,
        batch: int,
        conditions: Sequence[Condition | None],
        times: Times,
        start: Given | None = None,
        into: Condition | None = None,
    ) -> Clips:
        """Sample clips at ascending times, in frames; `start`: their first frames, if given.

        `conditions` follow each other in time, each for as many of the clips that continue each
        other. `into`: the condition into which they change evenly until the last time. What the
        first clips show does not depend on how many go on from them. A path of latents goes on by
        itself, where nothing follows and nothing is given.
        """
        alone = len(conditions) == 1 and start is None and into is None
        if isinstance(self.decoder, PathDecoder) and alone:
            return self._along_path(self.decoder, batch, conditions[0], times)
        said = self._said(conditions, float(times[-1]), into)
        return self._unbroken(self._chain(batch, said, start), times, conditions, into)

    def loops(
        self,
        batch: int,
        conditions: Sequence[Condition | None],
        timing: Timing,
        start: Given | None = None,
        into: Condition | None = None,
    ) -> Clips:
        """Sample loops that last as long as a clip of this timing.

        Those of one condition whose ends meet go on and on, at a pace that fits the whole clips of
        which they consist, two at least; all others swing there and back.
        """
        frames = timing.frames
        there = pendulum(timing)[: frames // 2 + 1]
        said = self._said(conditions, float(there[-1]), into)
        chain = self._chain(batch, said, start)
        clips = self._unbroken(chain, there.to(chain[0].z.device), conditions, into)
        back = clips[:, :, 1 : 1 + (frames - 1) // 2].flip(2)
        swinging = torch.cat([clips, back], 2)
        if len(conditions) > 1 or into is not None:
            return swinging
        onwards, closed = self._onwards(chain, conditions[0], timing)
        return torch.where(closed[:, None, None, None, None], onwards, swinging)

    def _onwards(
        self, chain: Sequence[Part], c: Condition | None, timing: Timing
    ) -> tuple[Clips, Meets]:
        """Return loops that begin as the chain does, and whether all their ends meet."""
        count = max(2, round(timing.duration / self.hop))
        first, device = chain[0], chain[0].z.device
        parts = self._chain(len(first.z), [(c, c)] * (count - 1), parts=chain[: count - 1])
        end = self._overlap(device)
        begin = end - self.hop
        ends = torch.cat([self._shown(parts[-1], end), self._shown(first, begin)], 2)
        at = torch.cat([begin, end])
        z = self.showing(ends, at, c)
        closed = self._meets(z, c, ends, at, first)
        period = count * self.hop
        times = torch.arange(timing.frames, device=device) * period / timing.frames
        times = torch.where(times < OVERLAP, times + period, times)  # where the ends overlap
        around = [*parts, Part(z, (c, c), closed), replace(first, goes_on=closed)]
        for part in parts[1:]:
            closed = closed & part.goes_on
        return self._faded(around, times), closed

    def _meets(
        self, z: Latents, c: Condition | None, given: Given, times: Times, beside: Part
    ) -> Meets:
        """Return which clips show what is given nearly, as steps of the clip `beside` it go."""
        every = torch.arange(float(self.decoder.frames), device=z.device)
        steps = self._shown(beside, every).diff(dim=2).square().mean((1, 3, 4))  # [batch step]
        if not steps.shape[1]:
            return torch.zeros(len(z), dtype=torch.bool, device=z.device)
        apart = self._errors(z, c, given, times) / given[0].numel()
        return apart <= CLOSED**2 * steps.median(1).values

    def _along_path(
        self, decoder: PathDecoder, batch: int, c: Condition | None, times: Times
    ) -> Clips:
        """Sample one path of latents that is long enough."""
        z = self.sample(batch, c)
        for _ in range(math.ceil((float(times[-1]) + 1) / decoder.frames) - 1):
            z = decoder.longer(z, self.sample(batch, c))
        return self._decode(z, c, times)

    @torch.no_grad()
    def showing(self, given: Given, times: Times, c: Condition | None) -> Latents:
        """Return latents of clips whose frames at `times` are near the given ones."""
        many = None
        if c is not None:
            many = c.repeat_interleave(CANDIDATES, 0)  # [(batch candidate) condition]
        z = self._prior(CANDIDATES * len(given), many).rsample()
        errors = self._errors(z, many, given.repeat_interleave(CANDIDATES, 0), times)
        nearest = errors.unflatten(0, (-1, CANDIDATES)).argmin(1)  # [batch]
        rows = torch.arange(len(given), device=z.device) * CANDIDATES + nearest
        return self._descended(z[rows], c, given, times)

    def _descended(self, z: Latents, c: Condition | None, given: Given, times: Times) -> Latents:
        """Return the latents after `STEPS` steps towards the likeliest."""
        z = z.clone()
        adam = torch.optim.Adam([z], RATE)
        for _ in range(STEPS):
            z.requires_grad_()
            with torch.enable_grad():
                unlikely = -self._prior(len(z), c).log_prob(z)
                loss = self._errors(z, c, given, times) / (2 * SPREAD**2) + unlikely
                (z.grad,) = torch.autograd.grad(loss.sum(), z)
            adam.step()
        return z.detach()

    def _errors(self, z: Latents, c: Condition | None, given: Given, times: Times) -> Losses:
        """Return the squared error of each clip's frames at `times`."""
        return (self._decode(z, c, times) - given).square().sum((1, 2, 3, 4))

    def _said(
        self, conditions: Sequence[Condition | None], end: float, into: Condition | None
    ) -> list[Said]:
        """Return what each clip says of those that reach until the last time."""
        count = max(len(conditions), 1 + math.ceil((end - self.last) / self.hop))
        first = conditions[0]
        if into is None or first is None or not end:
            each = _in_turn(len(conditions), count, (end + 1) / self.hop)
            return [(conditions[number], conditions[number]) for number in each]
        changed = [
            [torch.lerp(first, into, time / end) for time in (begin, begin + self.last)]
            for begin in range(0, count * self.hop, self.hop)
        ]
        return [(begin, until) for begin, until in changed]

    def _chain(
        self,
        batch: int,
        said: Sequence[Said],
        start: Given | None = None,
        parts: Sequence[Part] = (),
    ) -> list[Part]:
        """Sample clips that continue each other, `parts` the first of them."""
        chain = list(parts)
        for number, each in enumerate(said[len(chain) :], len(chain)):
            chain.append(
                self._next(chain[-1], each) if number else self._first(batch, each, start)
            )
        return chain

    def _first(self, batch: int, said: Said, start: Given | None) -> Part:
        """Sample the clip that begins a chain, with the frames that are given."""
        if start is None:
            z = self.sample(batch, said[0])
        else:
            z = self.showing(start, torch.arange(float(start.shape[2])).to(start), said[0])
        return Part(z, said, torch.zeros(len(z), dtype=torch.bool, device=z.device))

    def _next(self, before: Part, said: Said) -> Part:
        """Sample the clip that goes on from the one before, or any where none can."""
        c, end = said[0], self._overlap(before.z.device)
        given, begin = self._shown(before, end), end - self.hop
        z = self.showing(given, begin, c)
        goes_on = self._meets(z, c, given, begin, before)
        return Part(torch.where(goes_on[:, None], z, self.sample(len(z), c)), said, goes_on)

    def _overlap(self, device: torch.device) -> Times:
        """Return the times of the frames that a clip shares with the next one."""
        return torch.arange(float(self.hop), self.decoder.frames, device=device)

    def _faded(self, chain: Sequence[Part], times: Times) -> Clips:
        """Return each moment of the clip to which it belongs, with a fade or a cut between two."""
        clips, *others = (
            self._shown(part, (times - number * self.hop).clamp(0, self.last))
            for number, part in enumerate(chain)
        )
        for number, (part, following) in enumerate(zip(chain[1:], others, strict=True), 1):
            since = (times - number * self.hop + 1) / (OVERLAP + 1)  # 0 to 1 where both are seen
            fade, cut = since.clamp(0, 1), (since >= 0.5).float()
            share = torch.where(part.goes_on[:, None], fade, cut)[:, None, :, None, None]
            clips = torch.lerp(clips, following, share.expand_as(clips))
        return clips

    def _unbroken(
        self,
        chain: Sequence[Part],
        times: Times,
        conditions: Sequence[Condition | None],
        into: Condition | None,
    ) -> Clips:
        """Return each moment; where a clip is cut, what comes before lasts as long, slower.

        Clips of several conditions keep their cuts.
        """
        clips = self._faded(chain, times)
        if len(conditions) > 1:
            return clips
        whole = torch.ones(len(clips), dtype=torch.bool, device=clips.device)
        for count, part in enumerate(chain[1:], 1):
            cut, whole = whole & ~part.goes_on, whole & part.goes_on
            if cut.any():
                end = self.length(count) - 1.0
                said = self._said(conditions, end, into)
                parts = [replace(one, said=s) for one, s in zip(chain[:count], said, strict=True)]
                slower = self._faded(parts, times * (end / times[-1]))
                clips = torch.where(cut[:, None, None, None, None], slower, clips)
        return clips

    def _shown(self, part: Part, times: Times) -> Clips:
        """Return the moments of one clip, those of a condition that changes one by one."""
        z, (begin, end) = part.z, part.said
        if begin is None or end is None or begin is end:
            return self._decode(z, begin, times)
        moments, number = times.unique(return_inverse=True)
        shown = [
            self._decode(z, torch.lerp(begin, end, time / self.last), time[None])
            for time in moments
        ]
        return torch.cat(shown, 2)[:, :, number]

    def _decode(self, z: Latents, c: Condition | None, times: Times) -> Clips:
        return self.decoder(z, c, times).representative

    def _prior(self, batch: int, c: Condition | None) -> Distribution:
        return self.prior(batch, c)


def _in_turn(conditions: int, clips: int, duration: float) -> list[int]:
    """Return for each of the clips the number of its condition: each is seen about as long.

    `duration`: how long all are seen, in hops from one clip to the next.

    >>> _in_turn(2, 3, 2.3), _in_turn(2, 4, 3.4), _in_turn(3, 3, 3.1)
    ([0, 1, 1], [0, 0, 1, 1], [0, 1, 2])
    """
    begins = [round(number * duration / conditions) for number in range(conditions)]
    begins = [
        min(max(begin, number), clips - conditions + number) for number, begin in enumerate(begins)
    ]
    return [sum(begin <= clip for begin in begins) - 1 for clip in range(clips)]


def pendulum(timing: Timing) -> Times:
    """Return the times of a loop, t_k = duration / 4 (1 - cos(2 pi k / frames)), in frames.

    It turns where it stands still, so that no step is larger than pi / 2 of the mean one.

    >>> pendulum(Timing(4, pace=0.2)).tolist()
    [0.0, 5.0, 10.0, 5.0]
    """
    angle = 2 * math.pi / timing.frames * torch.arange(timing.frames, dtype=torch.float64)
    return (timing.duration / 4 * (1 - angle.cos())).float()
