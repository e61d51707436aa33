"""The form of a piece: which bar of a track repeats which earlier one, and a density of forms.

form[..., 0, bar, track]: SILENT, NEW, or how many bars ago the same bar was played last.
form[..., 1, bar, track]: the same of rhythms alone (onsets whatever their pitch).

A bass that plays A A B A in four bars of which the third has the rhythm of the first:

    bars      0  1  0  2
    rhythms   0  1  1  1
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ConfigError
from core.theory.distributions import Distribution, sum_events
from core.theory.shapes import Losses
from musegen.networks.states import States

SILENT, NEW = -1, 0
LONGEST = 15
"""The longest distance of a repetition, in bars: a bar that returns later counts as new."""

PHRASE = 4
"""Bars of a phrase: chances depend on the bar's place in it."""

Form = Int[Tensor, "batch 2 bar track"]
Layer = Int[Tensor, "batch bar track"]
"""One layer of a form: of bars, or of rhythms."""


def form_of(x: States) -> Form:
    """Return the form of each phrase."""
    sounding, onset = (x[:, :, :2] > 0.5).unbind(2)  # [batch track bar step pitch]
    cells = (sounding.byte() + onset).flatten(3)  # [batch track bar cell], each 0, 1 or 2
    plays = sounding.flatten(3).any(3).transpose(1, 2)  # [batch bar track]
    layers = [_distances(part, plays) for part in (cells, onset.any(4))]
    return torch.stack(layers, 1)


def _distances(
    parts: Shaped[Tensor, "batch track bar number"], plays: Bool[Tensor, "batch bar track"]
) -> Layer:
    """Return how many bars ago each bar's part was played last; NEW or SILENT otherwise."""
    words = _hash(parts)
    bars = torch.arange(parts.shape[2], device=parts.device)
    apart = bars[:, None] - bars
    equal = (words[..., None] == words[..., None, :]) & (apart > 0) & (apart <= LONGEST)
    by_track = plays.transpose(1, 2)  # [batch track bar]
    repeated = equal & by_track[:, :, None]  # no silent bar is repeated
    distance = torch.where(repeated, apart, LONGEST + 1).amin(3)
    distance = torch.where(distance > LONGEST, NEW, distance).transpose(1, 2)  # [batch bar track]
    return torch.where(plays, distance, SILENT)


def _hash(parts: Shaped[Tensor, "*shape number"]) -> Int[Tensor, "*shape"]:
    """Return a number for each row: a sum of random 64-bit words, equal for equal rows."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(-(2**62), 2**62, parts.shape[-1:], generator=generator)
    return (parts * words.to(parts.device)).sum(-1)


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
    if not (sections.isalpha() and sections.isascii()):
        raise ConfigError(f"'{sections}' is no form: give a letter for each section, as AABA")
    length, rest = divmod(bars, len(sections))
    if rest or not length:
        raise ConfigError(
            f"{bars} bars do not divide into the {len(sections)} sections of {sections}: "
            f"--bars {max(length, 1) * len(sections)}"
        )
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


class FormDistribution(Distribution):
    """p(form) of pieces; its log_prob is of forms of any length, its samples have `bars`."""

    def __init__(self, density: FormDensity, batch: int, bars: int):
        self.density, self.batch, self.bars = density, batch, bars

    @property
    def representative(self) -> Form:
        """Return a form in which nothing is repeated and nothing silent."""
        shape = (self.batch, 2, self.bars, self.density.tracks)
        return torch.full(shape, NEW, device=self.density.bias.device)

    def rsample(self) -> Form:
        return self.sample(self.bars)

    def log_prob(self, value: Form) -> Losses:
        """Return log p of forms in nats: a rhythm counts where the bar is new."""
        density = self.density
        begin, state = density.beginning(len(value))
        memory, _ = density.memories(value[:, :, :-1], state)
        logits = density.logits(torch.cat([begin, memory], 1), value)
        possible = _possible(value[:, 0] != SILENT)
        logits = logits.masked_fill(~possible, -torch.inf)
        chosen = logits.log_softmax(-1).gather(-1, (value - SILENT)[..., None])[..., 0]
        counts = torch.stack([torch.ones_like(value[:, 0]), value[:, 0] == NEW], 1)
        return sum_events(torch.where(counts > 0, chosen, 0.0))

    @torch.no_grad()
    def sample(self, bars: int, given: Sequence[Place] = ()) -> Form:
        """Sample forms of any number of bars; `given`: the place of each in sections, if any."""
        density, device = self.density, self.density.bias.device
        shape = (self.batch, 2, bars, density.tracks)
        form = torch.full(shape, NEW, device=device)
        memory, state = density.beginning(self.batch)
        for bar in range(bars):
            here = form[:, :, bar : bar + 1]
            place = given[bar] if given else Place(NEW, 0)
            if place.repeats:
                source = form[:, :1, bar - place.repeats]  # [batch 1 track]
                here[:, :, 0] = torch.where(source == SILENT, SILENT, place.repeats)
            else:
                recent = form[:, 0, max(0, bar - LONGEST) : bar + 1]
                possible = _possible(recent != SILENT)[:, :, -1:]
                possible[:, 0, ..., NEW - SILENT + 1 + bar - place.begins :] = False
                self._choose(here, memory, possible)
            memory, state = density.memories(here, state, bar)
        return form

    def _choose(self, here: Form, memory: Tensor, possible: Tensor) -> None:
        """Sample the choices of one bar in place; a rhythm follows where the bar is not new."""
        for track in range(self.density.tracks):
            for layer in (0, 1):
                logits = self.density.logits(memory, here).masked_fill(~possible, -torch.inf)
                chances = logits[:, layer, 0, track].softmax(-1)
                drawn = chances.multinomial(1)[:, 0] + SILENT
                origin = here[:, 0, 0, track]
                is_free = (origin == NEW) | (layer == 0)
                here[:, layer, 0, track] = torch.where(is_free, drawn, origin)


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
    first_layer = torch.tensor([True, False], device=sounds.device)
    silent = first_layer[:, None, None, None].expand_as(both[..., :1])
    return torch.cat([silent, torch.ones_like(silent), both], -1)
