"""The form of a piece: which bar of a track repeats which earlier one, and a density of forms.

form[..., 0, bar, track]: SILENT, NEW, or how many bars ago the same bar was played last.
form[..., 1, bar, track]: the same of rhythms alone (onsets whatever their pitch).

A bass that plays A A B A in four bars of which the third has the rhythm of the first:

    bars      0  1  0  2
    rhythms   0  1  1  1
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.distributions import Distribution, sum_events
from core.theory.shapes import Losses
from musegen.bar_latents import hypercube
from musegen.networks.states import ONSET, Cells, States
from musegen.steering import section_bars

UNKNOWN, SILENT, NEW = -2, -1, 0
LONGEST = 15
"""The longest distance of a repetition, in bars: a bar that returns later counts as new."""

PHRASE = 4
"""Bars of a phrase: chances depend on the bar's place in it."""

Form = Int[Tensor, "batch 2 bar track"]
Planned = Int[Tensor, "batch _ bar track"]
"""A form, or a plan, whose first two layers are one."""

Layer = Int[Tensor, "batch bar track"]
"""One layer of a form: of bars, or of rhythms."""

Known = Int[Tensor, "2 bar track"]
"""A form of which some choices are known, and the others `UNKNOWN`."""

CANDIDATES = 32
"""Sampled forms of which one is drawn."""

LAGS = (1, 2, 4, 8)
"""Bars after which a kept bar may repeat an open one."""


def form_of(x: States) -> Form:
    """Return the form of each phrase, on the device of x."""
    sounding, onset = (x[:, :, :2] > 0.5).unbind(2)  # [batch track bar step pitch]
    return form_of_cells((sounding.byte() + onset).cpu()).to(x.device)


def form_of_cells(cells: Cells) -> Form:
    """Return the form of phrases that are on the processor."""
    rolls = cells.numpy()
    plays = torch.from_numpy(rolls.any((3, 4))).transpose(1, 2)  # [batch bar track]
    bars = rolls.reshape(*rolls.shape[:3], -1)  # [batch track bar cell]
    rhythms = (rolls == ONSET).any(4)
    return torch.stack([_distances(_numbers(part), plays) for part in (bars, rhythms)], 1)


def form_in(plan: Planned, device: torch.device) -> Form:
    """Return the form alone, on a device."""
    return plan.to(device, non_blocking=True)[:, :2]


def nearest(form: Form) -> Form:
    """Return the same form in which each bar repeats the last that is equal to it.

    >>> a_b_a_a = torch.tensor([0, 0, 2, 3])[None, None, :, None].expand(1, 2, 4, 1)
    >>> nearest(a_b_a_a)[0, 0, :, 0].tolist()
    [0, 0, 2, 1]
    """
    plays = form[:, 0] != SILENT
    origins = [sources(layer).transpose(1, 2) for layer in form.unbind(1)]  # [batch track bar]
    return torch.stack([_distances(origin, plays) for origin in origins], 1)


def _distances(
    words: Int[Tensor, "batch track bar"], plays: Bool[Tensor, "batch bar track"]
) -> Layer:
    """Return how many bars ago a bar of the same number was played last; NEW or SILENT else."""
    bars = torch.arange(words.shape[2], device=words.device)
    apart = bars[:, None] - bars
    equal = (words[..., None] == words[..., None, :]) & (apart > 0) & (apart <= LONGEST)
    by_track = plays.transpose(1, 2)  # [batch track bar]
    repeated = equal & by_track[:, :, None]  # no silent bar is repeated
    distance = torch.where(repeated, apart, LONGEST + 1).amin(3)
    distance = torch.where(distance > LONGEST, NEW, distance).transpose(1, 2)  # [batch bar track]
    return torch.where(plays, distance, SILENT)


def _numbers(parts: Shaped[np.ndarray, "batch track bar _"]) -> Int[Tensor, "batch track bar"]:
    """Return a number for each row, the same for equal rows."""
    numbers: dict[bytes, int] = {}
    rows = parts.reshape(-1, parts.shape[3])  # [batch*track*bar part]
    found = [numbers.setdefault(row.tobytes(), len(numbers)) for row in rows]
    return torch.tensor(found).reshape(parts.shape[:3])  # [batch track bar]


def sources(layer: Layer) -> Int[Tensor, "batch bar track"]:
    """Return the bar in which each bar was new: the first of those that it repeats.

    >>> sources(torch.tensor([0, 1, 0, 2, 1, -1])[None, :, None])[0, :, 0].tolist()
    [0, 0, 2, 0, 0, 5]
    """
    found: list[Tensor] = []
    for bar, distance in enumerate(layer.unbind(1)):
        here = torch.full_like(distance, bar)
        if bar == 0:
            found.append(here)
            continue
        earlier = torch.stack(found, 1)  # [batch earlier track]
        played = (bar - distance.clamp(min=1)).clamp(min=0)[:, None]  # [batch 1 track]
        found.append(torch.where(distance > NEW, earlier.gather(1, played)[:, 0], here))
    return torch.stack(found, 1)  # [batch bar track]


def givers(layer: Layer, kept: Bool[Tensor, "bar track"]) -> Int[Tensor, "batch bar track"]:
    """Return for each bar the first kept bar that is equal to it; itself where none is.

    >>> b_a_a = torch.tensor([0, 0, 1])[None, :, None]
    >>> givers(b_a_a, torch.tensor([[False], [False], [True]]))[0, :, 0].tolist()
    [0, 2, 2]
    """
    origin = sources(layer).transpose(1, 2)  # [batch track bar]
    equal = (origin[..., None] == origin[..., None, :]) & kept.T[:, None]  # [.. bar kept]
    itself = torch.arange(len(kept), device=kept.device)
    giver = torch.where(equal.any(3), equal.int().argmax(3), itself)
    return giver.transpose(1, 2)  # [batch bar track]


class Place(NamedTuple):
    """A bar's place in the sections of a song.

    `repeats`: how many bars ago its section was played last, 0 in a new section; `begins`: the
    first bar of its section. Nothing in a new section repeats an earlier one.
    """

    repeats: int
    begins: int


def places(sections: str, bars: int) -> list[Place]:
    """Return the place of each bar of a song.

    `sections`: a letter for each section, equal letters for equal ones. `ConfigError` where the
    bars do not divide into so many sections.

    >>> [place.repeats for place in places("AABA", 8)]
    [0, 0, 2, 2, 0, 0, 4, 4]
    """
    length = section_bars(sections, bars)
    before = [sections.rfind(letter, 0, number) for number, letter in enumerate(sections)]
    return [
        Place(length * (number - last) if last >= 0 else NEW, number * length)
        for number, last in enumerate(before)
        for _ in range(length)
    ]


CLASSES = LONGEST + 2
"""SILENT, NEW and each distance, as numbers from 0."""


class FormDensity(nn.Module):
    """p(form): bar after bar, track after track, first the bar's and then its rhythm's origin.

    A GRU reads the bars so far; a track sees what those before it do in its bar.
    """

    def __init__(self, tracks: int, width: int = 96):
        super().__init__()
        self.tracks, self.width = tracks, width
        self.events = nn.Embedding(2 * tracks * CLASSES, width)
        self.place = nn.Embedding(PHRASE, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.beside = nn.Embedding(2 * tracks * CLASSES, width)
        self.hidden = nn.Linear(width, width)
        self.scores = nn.Parameter(torch.zeros(2, tracks, width, CLASSES))
        self.bias = nn.Parameter(torch.zeros(2, tracks, CLASSES))

    def forward(self, batch: int, bars: int) -> "FormDistribution":
        return FormDistribution(self, batch, bars)

    def memories(
        self, form: Form, state: Tensor | None = None, first: int = 0
    ) -> tuple[Float[Tensor, "batch bar width"], Tensor]:
        """Read bars; return what is remembered after each of them, and the last state."""
        places = torch.arange(first + 1, first + 1 + form.shape[2], device=form.device) % PHRASE
        read = self._embed(self.events, form).sum((1, 3)) + self.place(places)  # [batch bar width]
        return self.memory(read, state)

    def beginning(self, batch: int) -> tuple[Float[Tensor, "batch 1 width"], Tensor]:
        """Return what is remembered before the first bar."""
        place = self.place(torch.zeros(batch, 1, dtype=torch.long, device=self.bias.device))
        return self.memory(place)

    def _embed(self, table: nn.Embedding, form: Form) -> Float[Tensor, "batch 2 bar track width"]:
        tracks = torch.arange(self.tracks, device=form.device)
        layers = torch.arange(2, device=form.device)[:, None, None]
        classes = form.clamp(max=LONGEST) - SILENT
        return table((layers * self.tracks + tracks) * CLASSES + classes)

    def logits(
        self, memory: Float[Tensor, "batch bar width"], form: Form
    ) -> Float[Tensor, "batch 2 bar track class"]:
        """Return the logits of each choice, given those before it in the same bar.

        The choices of a bar are in the order of tracks, each track's bar before its rhythm.
        """
        beside = self._embed(self.beside, form).permute(0, 2, 3, 1, 4)  # [batch bar track 2 width]
        line = beside.flatten(2, 3)  # [batch bar choice width]
        before = (line.cumsum(2) - line).unflatten(2, (-1, 2))  # [batch bar track 2 width]
        hidden = F.relu(self.hidden(memory[:, :, None, None] + before))
        return torch.einsum("btklw,lkwc->bltkc", hidden, self.scores) + self.bias[:, None]


@dataclass(frozen=True)
class FormDistribution(Distribution):
    """p(form) of pieces; its log_prob is of forms of any length, its samples have `bars`."""

    density: FormDensity
    batch: int
    bars: int

    @property
    def representative(self) -> Form:
        """Return a form in which nothing is repeated and nothing silent."""
        shape = (self.batch, 2, self.bars, self.density.tracks)
        return torch.full(shape, NEW, device=self.density.bias.device)

    def rsample(self) -> Form:
        return self.sample(self.bars)

    def log_prob(self, value: Planned) -> Losses:
        """Return log p of forms in nats: a rhythm counts where the bar is new."""
        return sum_events(self.choices(value))

    def choices(self, value: Planned) -> Float[Tensor, "batch 2 bar track"]:
        """Return the summands of `log_prob`: of each choice, given all before it."""
        density = self.density
        value = form_in(value, density.bias.device)
        begin, state = density.beginning(len(value))
        memory, _ = density.memories(value[:, :, :-1], state)
        logits = density.logits(torch.cat([begin, memory], 1), value)
        possible = _possible(value[:, 0] != SILENT)
        logits = logits.masked_fill(~possible, -torch.inf)
        chosen = logits.log_softmax(-1).gather(-1, (value - SILENT)[..., None])[..., 0]
        counts = torch.stack([torch.ones_like(value[:, 0]), value[:, 0] == NEW], 1)
        return torch.where(counts > 0, chosen, 0.0)

    @torch.no_grad()
    def sample(self, bars: int, given: Sequence[Place] = (), known: Known | None = None) -> Form:
        """Sample forms of any number of bars.

        `given`: the place of each bar in sections, if any; `known`: the choices that are not open.
        """
        density, device = self.density, self.density.bias.device
        shape = (self.batch, 2, bars, density.tracks)
        form = torch.full(shape, NEW, device=device)
        known = torch.full(shape[1:], UNKNOWN, device=device) if known is None else known
        memory, state = density.beginning(self.batch)
        for bar in range(bars):
            here = form[:, :, bar : bar + 1]
            place = given[bar] if given else Place(NEW, 0)
            if place.repeats:
                source = form[:, :1, bar - place.repeats]  # [batch 1 track]
                repeated = torch.where(source == SILENT, SILENT, place.repeats)
                here[:, :, 0] = torch.where(known[:, bar] == UNKNOWN, repeated, known[:, bar])
            else:
                recent = form[:, 0, max(0, bar - LONGEST) : bar + 1]
                possible = _possible(recent != SILENT)[:, :, -1:]
                possible[:, 0, ..., NEW - SILENT + 1 + bar - place.begins :] = False
                self._choose(here, memory, possible, known[:, bar])
            memory, state = density.memories(here, state, bar)
        return form

    @torch.no_grad()
    def completed(self, known: Known, given: Sequence[Place] = ()) -> Form:
        """Sample forms in which some choices are known, those after an open one too.

        Choices are sampled given those before them, and known bars that are new may repeat open
        ones. Of `CANDIDATES` forms, each with all such repetitions, one is drawn by how likely the
        known choices are in it (importance resampling: Rubin 1988).
        """
        bars, several = known.shape[1], replace(self, batch=self.batch * CANDIDATES)
        if bool((known == UNKNOWN).all()):
            return self.sample(bars, given)
        forms = several.sample(bars, given, known)
        versions = [forms, *(_recalled(forms, known, lag) for lag in LAGS)]
        chances = torch.stack([several._evidence(one, known) for one in versions], 1)
        forms = torch.stack(versions, 1)  # [batch*candidate version 2 bar track]
        recalls = (forms[:, 1:] != forms[:, :1]).any(4).any(3).any(2)
        chances[:, 1:].masked_fill_(~recalls, -torch.inf)  # the same form counts once
        drawn = chances.reshape(self.batch, -1).softmax(1).multinomial(1)  # [batch 1]
        forms = forms.reshape(self.batch, -1, *known.shape)  # [batch candidate 2 bar track]
        return forms.take_along_dim(drawn[..., None, None, None], 1)[:, 0]

    def _evidence(self, form: Form, known: Known) -> Float[Tensor, " batch"]:
        """Return log p of the known choices, each given all before it."""
        return sum_events(self.choices(nearest(form)).masked_fill(known == UNKNOWN, 0))

    def _choose(
        self,
        here: Form,
        memory: Tensor,
        possible: Tensor,
        known: Int[Tensor, "2 track"],
    ) -> None:
        """Sample the choices of one bar in place; a rhythm follows where the bar is not new."""
        for track in range(self.density.tracks):
            for layer in (0, 1):
                if known[layer, track] != UNKNOWN:
                    here[:, layer, 0, track] = known[layer, track]
                    continue
                logits = self.density.logits(memory, here).masked_fill(~possible, -torch.inf)
                chances = logits[:, layer, 0, track].softmax(-1)
                drawn = hypercube.classes(chances) + SILENT
                origin = here[:, 0, 0, track]
                is_free = (origin == NEW) | (layer == 0)
                here[:, layer, 0, track] = torch.where(is_free, drawn, origin)


def _recalled(form: Form, known: Known, lag: int) -> Form:
    """Return forms in which known bars that are new repeat open ones that are new, `lag` before.

    A bar has the rhythm of the one it repeats, so both rhythms are new, or have the same origin.
    """
    after, rhythm = form[:, :, lag:], sources(form[:, 1])
    before = form[:, :, : after.shape[2]]
    recalls = (known[0, lag:] == NEW) & (known[0, : after.shape[2]] == UNKNOWN)
    recalls = recalls & (before[:, 0] == NEW)  # [batch bar track]
    is_new = (before[:, 1] == NEW) & (after[:, 1] == NEW)
    recalls &= is_new | (rhythm[:, lag:] == rhythm[:, : after.shape[2]])
    repeated = torch.where(recalls[:, None], lag, after)
    return torch.cat([form[:, :, : form.shape[2] - after.shape[2]], repeated], 2)


def _possible(
    sounds: Bool[Tensor, "batch bar track"],
) -> Bool[Tensor, "batch 2 bar track class"]:
    """Return the classes that each choice can have: a bar repeats only one that sounds.

    Whether a bar is silent is decided by the first layer.
    """
    bars = torch.arange(sounds.shape[1], device=sounds.device)
    distance = torch.arange(1, LONGEST + 1, device=sounds.device)
    source = bars[:, None] - distance  # [bar distance]
    played = (
        sounds[:, source.clamp(min=0)] & (source >= 0)[..., None]
    )  # [batch bar distance track]
    both = played.movedim(2, 3)[:, None].expand(-1, 2, -1, -1, -1)  # [batch 2 bar track distance]
    first_layer = torch.arange(2, device=sounds.device) == 0
    silent = first_layer[:, None, None, None].expand_as(both[..., :1])
    return torch.cat([silent, torch.ones_like(silent), both], -1)
