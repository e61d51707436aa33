"""Songs of densities of notes, which are sampled note after note."""

from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np
import torch

from core.app.progress import parts_of
from core.app.sampling import Rows, draw_chunks
from core.config import require_seed, whole
from core.data.preparation import Tick
from core.errors import ConfigError
from core.theory.contracts import require
from musegen.composition.sampler import SongSampler
from musegen.composition.steered import steered
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.note_sequences import from_rows, to_rows
from musegen.densities.note_transformer import NoteDensity
from musegen.drafts.draft import Draft
from musegen.roll import Notes
from musegen.steering import Steering
from musegen.tonality import in_key

GROWTH = 8
"""Growth of the chunks in which a density is sampled: their cost is mostly that of the steps."""

MOST_ROWS = 128
"""Samples that are composed side by side."""


class NoteSampler(SongSampler):
    """Songs of a transformer over notes."""

    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Notes]:
        density = require(steered(self.networks, steering)["density"], NoteDensity)

        def draw(rows: Rows, tick: Tick) -> list[Notes]:
            return from_rows(density(len(rows)).sample(bars, tick))

        return self._drawn((count, seed, bars), draw)

    def _drawn(
        self, asked: tuple[int, int, int], draw: Callable[[Rows, Tick], list[Notes]]
    ) -> Iterator[Notes]:
        """Draw pieces in chunks, so that each depends on the seed and its number alone.

        `asked`: their count, the seed and their bars. Samples of a song are in one chunk.
        """
        count, seed, bars = asked
        parts = self.parts(count, bars, GROWTH)

        def chunk(rows: Rows) -> list[Notes]:
            return draw(rows.repeat_interleave(self.each), next(parts))  # [row*each]

        drawn = draw_chunks(count, seed, self.device, chunk, GROWTH)
        return islice(chain.from_iterable(drawn), count * self.each)


class LookbackSampler(NoteSampler):
    """Songs of the recurrent density, which can be steered, and composes beside kept notes."""

    completes = True

    @property
    def density(self) -> LookbackDensity:
        return require(self.networks["density"], LookbackDensity)

    @property
    def obeys(self) -> frozenset[str]:
        return frozenset(Steering.model_fields) - {"binarisation"}

    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Notes]:
        """Sample pieces; a key is learned, and transposes them: see `in_key`."""
        free, asked = steering.replace(key=None), (count, seed, bars)
        completes = free.form or free.density != 1
        songs = self._steered(asked, free) if completes else self._free(asked, free)
        if not steering.key:
            return songs
        return (self._in_key(song, steering, (seed, number)) for number, song in enumerate(songs))

    def _steered(self, asked: tuple[int, int, int], steering: Steering) -> Iterator[Notes]:
        """Compose songs along a form or at a density."""
        bars = asked[2]

        def draw(rows: Rows, tick: Tick) -> list[Notes]:
            return from_rows(self.density(len(rows)).sample(bars, steering, tick))

        return self._drawn(asked, draw)

    def _free(self, asked: tuple[int, int, int], steering: Steering) -> Iterator[Notes]:
        """Sample songs side by side; yield each once it has ended, in their order.

        Samples of a song have the opening of the first one: so they take about as many notes, and
        the song as long as either.
        """
        count, seed, bars = asked
        count, seed = whole("count", count), require_seed(seed)
        seeds = [[seed, song, number] for song in range(count) for number in range(self.each)]
        batches = [seeds[at : at + MOST_ROWS] for at in range(0, len(seeds), MOST_ROWS)]
        parts = parts_of(self.tick, len(batches), bars)
        for batch, tick in zip(batches, parts, strict=True):
            openings = [[*song, 0] for *song, _ in batch] if self.each > 1 else None
            for piece in self.density.pieces(batch, bars, steering, tick, openings):
                yield from from_rows(piece[None])

    def _in_key(self, song: Notes, steering: Steering, part: tuple[int, int]) -> Notes:
        assert steering.key
        spec, chance = self.model.spec, np.random.default_rng(part)
        return in_key(song, spec.tracks, spec.grid, steering.key, steering.scale_strength, chance)

    def complete(self, draft: Draft, count: int, seed: int, steering: Steering) -> Iterator[Notes]:
        if steering.form and len(draft.notes):
            raise ConfigError("a form is for new songs, not for one with notes: leave it out")
        kept = torch.from_numpy(draft.kept).to(self.device)
        given = to_rows([draft.kept_notes]).to(self.device)

        def draw(rows: Rows, tick: Tick) -> list[Notes]:
            many = given.expand(len(rows), -1, -1), kept.expand(len(rows), -1, -1)
            density = self.density(len(rows))
            if steering.form:
                return from_rows(density.sample(draft.bars, steering, tick, many[1]))
            return from_rows(density.complete(*many, steering, tick=tick))

        return map(draft.merged, self._drawn((count, seed, draft.bars), draw))
