"""The lookback network: a density over notes whose logits look back by whole bars.

A recurrent network, or a causal transformer, over the notes remembers the style; what recurs, it
reads off at lags of 1, 2, 4 and 8 bars (`lookback_heads`). Cost grows with the notes.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from core.app.progress import parts_of
from core.data.preparation import Tick
from core.densities.streams import Seeds
from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from core.training.device import isolated_random_state
from musegen.densities.completion import Completion, keeps_tracks
from musegen.densities.lookback_likelihood import Likelihood
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.lookback_sampler import Sampler
from musegen.densities.note_sequences import (
    Kept,
    NoteRows,
    Piece,
    between,
    join_rows,
    moved,
    pad_pieces,
)
from musegen.steering import UNSTEERED, Steering, section_bars

BESIDE_NOTHING = 3
"""Particles of bars that keep no track: a single bar judges them, which suits three nearly as well
as eight (EXPERIMENTS.md)."""


class LookbackDensity(LookbackNetwork):
    """p(x) of notes over `bars` bars; pieces of any length are sampled.

    Notes longer than `lookback.LENGTH_BARS` are cut to that. A phrase is the beginning of a piece
    that goes on: what counts at its end is that the next note starts after it, and that a note
    which is cut there is at least as long.
    """

    def forward(self, batch: int, c: Kept | None = None) -> "LookbackDistribution":
        """Return p(x); with bars that are kept as c, p of the others given those."""
        return LookbackDistribution(self, batch, c)

    def pieces(
        self,
        seeds: Seeds,
        bars: int,
        steering: Steering = UNSTEERED,
        tick: Tick = lambda done, total: None,
        openings: Seeds | None = None,
    ) -> Iterator[Piece]:
        """Sample a piece for each seed, on which alone it depends; yield each once it has ended.

        `steering`: of the chances alone. `tick`: called with bars. `openings`: a seed of each
        piece's opening, where several are to begin with the same notes.
        """
        return Sampler(self, seeds, bars * self.layout.bar, steering, tick, openings).pieces()


class LookbackDistribution(Distribution):
    """p(x) over a batch of phrases, x [batch note attribute]."""

    def __init__(self, density: LookbackDensity, batch: int, kept: Kept | None = None):
        self.density, self.batch, self.kept = density, batch, kept

    @property
    def representative(self) -> NoteRows:
        """Return a sample of a fixed seed: the likeliest sequences are mostly repetitions
        (Holtzman et al., ICLR 2020)."""
        with isolated_random_state(self.density.device):
            torch.manual_seed(0)
            return self.rsample()

    def rsample(self) -> NoteRows:
        """Sample one phrase for each row of the batch; whole notes pass no gradient."""
        return self.sample(self.density.bars)

    def log_prob(self, value: NoteRows) -> Losses:
        """Return log p of each phrase in nats.

        What is kept changes the pitches of the other notes, and not when they are.
        """
        return Likelihood(self.density, value, kept=self.kept).log_prob()

    def sample(
        self,
        bars: int,
        steering: Steering = UNSTEERED,
        tick: Tick = lambda done, total: None,
        silent: Kept | None = None,
    ) -> NoteRows:
        """Sample pieces of any length; `ConfigError` for a form that does not divide them.

        `tick`: called with bars. `silent`: bars of tracks that stay empty; None are all composed.
        """
        if silent is None:
            silent = torch.zeros(self.batch, self.density.layout.tracks, bars, dtype=torch.bool)
        if steering.form:
            return self._along_form(silent, steering, tick)
        if steering.key or steering.density != 1 or silent.any():
            nothing = _no_notes(self.batch, self.density)
            return self.complete(nothing, silent, steering, tick=tick)
        seeds = torch.randint(2**62, (self.batch,)).tolist()
        return pad_pieces(list(self.density.pieces(seeds, bars, steering, tick)))

    def complete(
        self,
        kept_notes: NoteRows,
        kept: Kept,
        steering: Steering = UNSTEERED,
        particles: int | None = None,
        tick: Tick = lambda done, total: None,
    ) -> Int[Tensor, "batch both attribute"]:
        """Sample the open bars of pieces; return them with the kept notes, which stay as they are.

        `kept`: where nothing is added to the kept notes, in the roll's order of tracks.
        `particles`: as in the config; see `completion`. Of what is kept, the bars around the open
        ones count, before them as many as in training. `ConfigError` without a recurrent body.
        """
        count = self._particles(kept) if particles is None else particles
        layout = self.density.layout
        with torch.inference_mode():
            notes, kept = kept_notes.to(self.density.device), kept.to(self.density.device)
            window = self._window(kept)
            first, end = window.start * layout.bar, window.stop * layout.bar
            near = between(notes, first, end)
            open_bars = kept[:, :, window]
            completion = Completion(self.density, near, open_bars, steering, count, tick)
            composed = moved(completion.run(), first)
            x = join_rows(notes, composed, layout.grid, kept.shape[2] * layout.bar)
        return x.clone()

    def _particles(self, kept: Kept) -> int:
        """Return how many particles suffice: one where nothing is kept, and few where no track is
        kept beside the open ones, since then a single bar judges them."""
        if not kept.any():
            return 1
        most = self.density.config.particles
        return most if keeps_tracks(kept) else min(BESIDE_NOTHING, most)

    def _window(self, kept: Kept) -> slice:
        """Return the open bars, those before them in a window of training, and those at the lags.

        The first bar is a multiple of half the window, so that all keep the numbers that bars
        beyond the window have.
        """
        open_bars = (~kept).any(1).any(0).nonzero().flatten().tolist() or [0]
        half = max(1, self.density.bars // 2)
        begin = max(0, (open_bars[0] // half - 2) * half)
        return slice(begin, open_bars[-1] + 1 + max(self.density.config.lags, default=1))

    def _along_form(self, silent: Kept, steering: Steering, tick: Tick) -> NoteRows:
        """Compose section after section; one that comes back varies in its last bar alone.

        A section of a single bar comes back as it was.
        """
        length = section_bars(steering.form, silent.shape[2])
        unformed = steering.model_copy(update={"form": ""})
        x = _no_notes(self.batch, self.density)
        parts = parts_of(tick, len(steering.form), length)
        for number, (letter, part) in enumerate(zip(steering.form, parts, strict=True)):
            kept = silent[:, :, : (number + 1) * length].clone()
            kept[:, :, : number * length] = True
            origin = steering.form.index(letter)
            if origin < number:
                same = max(length - 1, 1)
                kept[:, :, number * length : number * length + same] = True
                x = self._with_copy(x, origin * length, number * length, same)
            x = self.complete(x, kept, unformed, particles=1, tick=part)
        return x

    def _with_copy(
        self, x: NoteRows, first: int, to: int, bars: int
    ) -> Int[Tensor, "batch both attribute"]:
        """Return pieces with the notes of `bars` bars from bar `first` on copied to bar `to`."""
        bar = self.density.layout.bar
        copied = (x[..., :1] >= first * bar) & (x[..., :1] < (first + bars) * bar)
        copy = torch.where(copied, moved(x, (to - first) * bar), -1)
        return torch.cat([x, copy], 1)


def _no_notes(batch: int, density: LookbackDensity) -> NoteRows:
    return torch.zeros(batch, 0, 5, dtype=torch.long, device=density.device)
