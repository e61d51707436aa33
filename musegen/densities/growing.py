"""Histories that grow by one note of each piece at a time, in numpy."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from core.densities.arrays import Indices, at_most, columns_of, flat, view
from musegen.densities.lookback import History, Layout, Note, coded
from musegen.networks.states import OCTAVE

GRIDS = ("cells", "pitches", "tracks", "sounding", "first")
"""Grids of a growing history, with a row for each piece."""


class GrowingHistory(History):
    """Pieces that are sampled: the same grids in numpy, where a note of each is appended.

    Of their steps nothing is known but what is before the next note, so there are no `starts`.
    `within`: the steps from a bar before a note to where what sounded then has ended.
    `summed` [advance sum within]: which of these steps `sums` adds up for each advance.
    """

    def __init__(self, layout: Layout, batch: int, steps: int, like: Tensor):
        super().__init__(layout, batch, steps, like)
        self.within = layout.bar + layout.longest
        self.summed = self._windows().to(like)
        self._kinds = torch.tensor([0, OCTAVE])
        self._share(self)

    @classmethod
    def of(cls, known: History) -> "GrowingHistory":
        """Return known pieces, which go on."""
        steps = known.cells.shape[1] - known.before
        history = cls(known.layout, len(known.row), steps, known.sounding.cpu())
        history._share(known)
        return history

    def _share(self, other: History) -> None:
        """Take over all that is computed in torch, as arrays in the same memory."""
        for name, value in vars(other).items():
            if isinstance(value, Tensor):
                setattr(self, name, view(value.cpu()))
        self._lay_windows()

    def _lay_windows(self) -> None:
        """Let windows lie on the grids, as views: on what sounds from each step on, and around
        it, [row classes step within], and on the tracks ahead of it, [row step ahead]."""
        spans = (self.layout.longest, self.within)
        self._spans, self._around = (
            sliding_window_view(self.sounding, span, 2, writeable=True) for span in spans
        )
        tracks, choices = self.layout.tracks, self.layout.advances + 1
        ahead = flat(self.tracks)  # [row step*track]
        self._ahead = sliding_window_view(ahead, choices * tracks, 1)[:, ::tracks]

    def patterns_ahead(self, row: Indices, last: Note) -> Int8[np.ndarray, "n choice track"]:
        """Return the lags for each advance from the last note: of all notes, as none is later; the
        choice of all longer ones has none."""
        ahead = self._ahead[row, last.step]
        ahead = ahead.reshape(len(ahead), -1, self.layout.tracks)  # [n choice track]
        ahead[:, -1] = 0
        return ahead

    def _windows(self) -> Bool[Tensor, "advance sum within"]:
        """Return what is summed for each advance, of the steps from a bar before the last note.

        The step itself, the bar before it, and what has passed since the last note.
        """
        bar, within = self.layout.bar, torch.arange(self.within)
        here = torch.arange(self.within + 1)[:, None] + bar
        passed = within < here
        sums = (within == here, (here - bar <= within) & passed, (bar <= within) & passed)
        return torch.stack(sums, 1)

    def keep(self, rows: Indices) -> None:
        """Take these pieces of the batch, one perhaps several times."""
        self._take(rows, len(rows))

    def shorten(self, rows: Indices) -> None:
        """Take these pieces, of which each that is not behind the last place is in its own."""
        places = np.flatnonzero(rows >= len(rows))
        self.replace(places, rows[places])
        self._take(slice(len(rows)), len(rows))

    def _take(self, rows: Indices | slice, count: int) -> None:
        self.row = np.arange(count)
        for name in GRIDS:
            setattr(self, name, getattr(self, name)[rows])
        self._lay_windows()

    def replace(self, rows: Indices, others: Indices) -> None:
        """Put other pieces of the batch in the places of these."""
        for name in GRIDS:
            grid = getattr(self, name)
            grid[rows] = grid[others]

    def append(self, row: Indices, note: Note) -> None:
        """Lay one note of each of these rows on the grids, not before its last one."""
        step, track, pitch = note.step, note.track, note.pitch
        at = step + self.before
        self.cells[row, at, track, pitch] = coded(note)
        row, track, step, pitch, at = (x[:, None] for x in (row, track, step, pitch, at))
        lagged = row, step + self.lags, track
        self.tracks[lagged] |= self.bits
        self.pitches[*lagged, pitch] |= self.bits
        velocity = note.velocity + self.layout.pitches
        values = row, track, columns_of((note.pitch, velocity))
        self.first[values] = np.minimum(self.first[values], step)
        classes = pitch % OCTAVE + self._kinds
        self._spans[row, classes, at] += self._counted[note.track, note.length]

    def sums(self, last: Indices, advance: Indices) -> Float[np.ndarray, "row sum classes"]:
        """Return what sounds in each row where one is, `advance` steps after the step `last`.

        First there, then summed over the bar before, and over the steps from `last` on.
        """
        around = self._around[self.row, :, last + (self.before - self.layout.bar)]
        summed = self.summed[at_most(advance, self.within)]
        return summed @ around.swapaxes(1, 2)  # [row sum classes]
