"""One note of the lookback density as a graph: uniform numbers and a state -> a note, a new state.

A state of zeros is the beginning. Whoever feeds each new state back samples a piece note by note,
as `lookback_sampler` does, until it has ended:

    uniform [batch 6]   of advance, track, pitch, length, velocity, and of the longest advances
    note [batch 5]      step, track of the roll, pitch above the grid's lowest, length, velocity
    ended [batch]       whether the piece ended before this note, which then is none
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from core.densities.recurrent import CausalGRU, RecurrentState
from core.errors import UserError
from core.exchange.graph import Graph
from musegen.densities.growing import GRIDS, GrowingHistory
from musegen.densities.lookback import History, Layout, Note, coded
from musegen.densities.lookback_heads import HiddenOutputs
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.lookback_sampler import to_rows
from musegen.densities.next_note import NO_NOTE, Attribute, NextNote, Profiles
from musegen.densities.note_sequences import Indices
from musegen.networks.states import OCTAVE

ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)

CHOICES = len(ATTRIBUTES) + 1
"""Uniform numbers of a note."""

STARTED = 4
"""Notes of the pieces that are examples."""

State = Shaped[Tensor, "batch ..."]

STATE_AXES = {
    "started": "batch",
    "hidden": "batch layer width",
    "embedded": "batch width",
    "last": "batch attribute",
    "latest": "batch track attribute",
    "loudness": "batch place",
    "earlier": "batch pitch_class",
    "cells": "batch step track pitch",
    "pitches": "batch step track pitch",
    "tracks": "batch step track",
    "sounding": "batch class step",
    "first": "batch track value",
}
"""The state of each piece: see `Sampler.states` and `History`; all are 0 at the beginning."""


class GivenHistory(History):
    """Pieces on given grids, to which a note of each is added without changing them."""

    def __init__(self, layout: Layout, steps: int, like: Tensor):
        super().__init__(layout, 1, steps, like)
        growing = GrowingHistory(layout, 1, steps, like.detach())
        self.within, self.summed = growing.within, torch.from_numpy(growing.summed)
        self._kinds = torch.tensor([0, OCTAVE])

    def on(self, grids: Mapping[str, Tensor]) -> "GivenHistory":
        """Return the history of pieces on these grids."""
        other = copy(self)
        other.row = torch.arange(grids["cells"].shape[0])
        for name in GRIDS:
            setattr(other, name, grids[name])
        return other

    def grids(self) -> dict[str, Tensor]:
        """Return the grids by name."""
        return {name: getattr(self, name) for name in GRIDS}

    def _tracks_ahead(self, row: Indices, step: Indices) -> Int[Tensor, "n choice track"]:
        ahead = step[:, None] + self.numbers(self.layout.advances + 1)
        return self.tracks[row[:, None], ahead]

    def sums(self, last: Indices, advance: Indices) -> Float[Tensor, "row sum classes"]:
        """Return what sounds: see `GrowingHistory.sums`."""
        first = last + (self.before - self.layout.bar)
        at = first[:, None] + torch.arange(self.within)
        at = at[:, None].expand(-1, self.sounding.shape[1], -1)  # [row classes within]
        around = self.sounding.gather(2, at)
        return self.summed[advance.clamp(max=self.within)] @ around.mT

    def followed_by(self, note: Note) -> "GivenHistory":
        """Return the history with one more note of each piece."""
        row, step, track, pitch = self.row, note.step, note.track, note.pitch
        at = step + self.before
        code = coded(note).to(self.cells.dtype)
        cells = self.cells.index_put((row, at, track, pitch), code)
        lagged = step[:, None] + self.lags
        place = (row[:, None], lagged, track[:, None])
        tracks = self.tracks.index_put(place, self.tracks[place] | self._bit)
        place = (*place, pitch[:, None])
        pitches = self.pitches.index_put(place, self.pitches[place] | self._bit)
        values = torch.stack([pitch, note.velocity + self.layout.pitches], 1)
        place = (row[:, None], track[:, None], values)
        first = self.first.index_put(place, self.first[place].minimum(step[:, None]))
        span = at[:, None] + torch.arange(self.layout.longest)
        classes = (pitch % OCTAVE)[:, None] + self._kinds
        place = (row[:, None, None], classes[:, :, None], span[:, None])
        counts = self._counted[track, note.length]  # [n kind step]
        sounding = self.sounding.index_put(place, self.sounding[place] + counts)
        grids = (cells, pitches, tracks, sounding, first)
        return self.on(dict(zip(GRIDS, grids, strict=True)))

    @property
    def _bit(self) -> Int[Tensor, " lag"]:
        return self.bits.to(self.tracks.dtype)


class AnyNote(NextNote):
    """The next note of each piece, of which some have melodic tracks, whatever they are."""

    def _has_melodic(self) -> bool:
        return True


@dataclass
class Earlier:
    """The steps that each pitch class has sounded in each piece before its next note."""

    total: Float[Tensor, "batch pitch_class"]

    def sums(self, history: GivenHistory, last: Indices, advance: Indices) -> Profiles:
        """Add what passes until the next note, and sum what sounds: see `Sampler._sums`."""
        sums = history.sums(last, advance)
        sums = sums.unflatten(2, (-1, OCTAVE)).flatten(1, 2)  # [batch sum*kind pitch_class]
        now, bass, bar, _, passed, _ = sums.unbind(1)
        self.total = self.total + passed
        return torch.stack([now, bass, bar, self.total], 1)


class NoteStep(nn.Module):
    """uniform numbers and the state of each piece -> the next note, if it has ended, the state."""

    def __init__(self, density: LookbackNetwork, steps: int):
        super().__init__()
        if not isinstance(density.body, CausalGRU):
            raise UserError("a transformer's state grows: export its weights, as safetensors")
        self.density, self.steps, self.body = density, steps, density.body
        start = density.embedding.start
        self.history = GivenHistory(density.layout, steps, start)
        with torch.no_grad():
            self.tables = density.embedding.tables(steps)
        self.none = NO_NOTE.expand(density.layout.tracks, -1)

    def beginning(self, batch: int) -> dict[str, State]:
        """Return the state before the first note: zeros."""
        layout, start, gru = self.density.layout, self.density.embedding.start, self.body.gru
        whole = torch.zeros(batch, dtype=torch.long)
        state = {
            "started": whole.bool(),
            "hidden": start.new_zeros(batch, gru.num_layers, gru.hidden_size),
            "embedded": start.new_zeros(batch, len(start)),
            "last": whole.new_zeros(batch, 5),
            "latest": whole.new_zeros(batch, layout.tracks, 4),
            "loudness": whole.new_zeros(batch, layout.tracks * layout.pitches),
            "earlier": start.new_zeros(batch, OCTAVE),
        }
        grids = self.history.grids()
        return state | {
            n: torch.zeros_like(g).repeat_interleave(batch, 0) for n, g in grids.items()
        }

    def forward(self, uniform: Float[Tensor, "batch 6"], *states: State) -> tuple[State, ...]:
        state = dict(zip(STATE_AXES, states, strict=True))
        started = state["started"]
        history = self.history.on(state)
        history.first = history.first.where(started[:, None, None], self.history.first)
        start = Note.start(1, uniform.device)
        last = Note(
            *(
                column.where(started, first)
                for column, first in zip(state["last"].unbind(1), start.columns, strict=True)
            )
        )
        latest = state["latest"].where(started[:, None, None], self.none)
        embedded = state["embedded"].where(started[:, None], self.density.embedding.start)
        hidden = RecurrentState(
            state["hidden"].transpose(0, 1).contiguous()
        )  # [layer batch width]
        output = self.body(embedded[:, None], [hidden])[:, 0]
        assert hidden.layers is not None

        earlier = Earlier(state["earlier"])
        of_last = history.pitch_patterns(history.row, last.step, last.track.clamp(min=0))
        note = AnyNote(
            history,
            history.row,
            last,
            of_last,
            latest,
            lambda advance: earlier.sums(history, last.step, advance),
            lambda place: state["loudness"][history.row, place],
        )
        ended = self._choose(note, output, uniform)
        chosen = note.note
        columns = torch.stack(chosen.columns, 1)
        new = {
            "started": torch.ones_like(started),
            "hidden": hidden.layers.transpose(0, 1),  # [batch layer width]
            "embedded": self.tables.embedded(note),
            "last": columns,
            "latest": latest.index_put((history.row, chosen.track), columns[:, [2, 3, 4, 0]]),
            "loudness": state["loudness"].index_put((history.row, note.place), chosen.velocity),
            "earlier": earlier.total,
            **history.followed_by(chosen).grids(),
        }
        return to_rows(chosen, self.density.layout), ended, *(new[name] for name in STATE_AXES)

    def _choose(
        self, note: NextNote, hidden: Tensor, uniform: Float[Tensor, "batch 6"]
    ) -> Bool[Tensor, " batch"]:
        """Choose each attribute of the next notes; return which pieces ended before."""
        config, heads = self.density.config, self.density.heads
        is_opening = note.last.step < config.opening_bars * self.density.layout.bar
        ended = torch.zeros_like(note.last.step, dtype=torch.bool)
        chances = dict(zip(ATTRIBUTES, uniform.unbind(1), strict=False))
        for attribute, logits in heads.gates.conditionals(HiddenOutputs(heads, hidden), note):
            share = torch.where(is_opening, 1.0, getattr(config.nucleus, attribute))[:, None]
            value = sampled(logits, config.temperature, share, chances[attribute])
            if attribute == "advance":
                is_beyond = value == self.density.layout.advances
                value = value + is_beyond * heads.beyond(uniform[:, 5])
                ended = note.last.step + value >= self.steps
                value = value * ~ended
            note.choose(attribute, value)
        return ended


def sampled(
    logits: Float[Tensor, "n choice"],
    temperature: float,
    share: Float[Tensor, "n 1"],
    uniform: Float[Tensor, " n"],
) -> Indices:
    """Sample a choice of each row from its nucleus: see `core.densities.categorical.sampled`."""
    descending, choice = (logits / temperature).sort(1, descending=True)
    passed = (descending - descending[:, :1]).exp().cumsum(1)
    last = (passed >= share * passed[:, -1:]).int().argmax(1)
    nucleus = passed.gather(1, last[:, None])
    there = passed > uniform[:, None] * nucleus
    return choice.gather(1, there.int().argmax(1)[:, None])[:, 0]


def note_graph(density: LookbackNetwork, bars: int) -> Graph:
    """Return the graph of one note of pieces of so many bars; the examples are started pieces."""
    step = NoteStep(density, bars * density.layout.bar).eval()
    nexts = {f"next_{name}": axes for name, axes in STATE_AXES.items()}
    axes = {"uniform": "batch choice", **STATE_AXES, "note": "batch attribute", "ended": "batch"}

    @torch.no_grad()
    def examples(batch: int) -> dict[str, Tensor]:
        states = tuple(step.beginning(batch).values())
        for _ in range(STARTED):
            _, _, *states = step(torch.rand(batch, CHOICES), *states)
        names = ("uniform", *STATE_AXES)
        return dict(zip(names, (torch.rand(batch, CHOICES), *states), strict=True))

    return Graph(step, examples, {**axes, **nexts})
