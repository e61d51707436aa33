"""Compositions: the songs that a model composes on request.

request = Request(given="song.mid", keep=("piano",), tracks=("bass",))
rolls = Composition(Model.load(), request).songs(count=4, seed=1)
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.config import require_seed, whole
from core.data.preparation import Tick
from core.errors import ConfigError
from musegen.composition.ending import THIN, ending_of
from musegen.composition.judge import most_real
from musegen.composition.phrase_sampler import Accompanist
from musegen.composition.request import NEW_SONGS, Request
from musegen.drafts.draft import Draft
from musegen.files.label import Label
from musegen.files.limits import MOST_SONGS, MOST_TRIES
from musegen.files.midi import require_tempo
from musegen.roll import Notes, Roll
from musegen.steering import LEAST_DENSITY, UNSTEERED, Steering
from musegen.tonality import key_of
from musegen.tracks import numbers_of

if TYPE_CHECKING:
    from musegen.model import Model

LOG = logging.getLogger("pianoreel")


@dataclass(frozen=True)
class Composition:
    """Songs from a request, steered; song n depends on n and the seed alone.

    `tempo_bpm`: None leaves the songs' own. `ending`: close on the tonic. `best_of`: of every so
    many songs return the one that the model's judge takes to be the most real; of 1 the first
    sample, None leaves it to the model.
    """

    model: "Model"
    request: Request = NEW_SONGS
    steering: Steering = UNSTEERED
    tempo_bpm: float | None = None
    ending: bool = False
    best_of: int | None = None

    @property
    def chooses(self) -> bool:
        """True where the model's judge chooses each song from several."""
        return self.best_of is not None and self.best_of > 1

    @cached_property
    def draft(self) -> Draft:
        """Read the user's songs; `ConfigError` for wishes that exclude each other."""
        return self.request.draft(self.model.spec.tracks, self.model.spec.grid)

    def labels(self, count: int = 1, seed: int = 0) -> list[Label]:
        """Return name and origin of each song."""
        extra = {
            "tempo": self.tempo_bpm,
            "ending": "on the tonic" if self.ending else None,
            "best of": self.best_of if self.chooses else None,
        }
        settings = {"bars": self.draft.bars, **self.request.named, **self.steering.named, **extra}
        kind = self.request.kind
        return [
            Label.of(self.model.name, seed, number + 1, kind, **settings)
            for number in range(count)
        ]

    def require(self) -> None:
        """Raise `ConfigError` for what the model cannot do: complete songs, obey a setting.

        So too for a tempo that no file can hold, and for the best of several without a judge.
        """
        if self.tempo_bpm is not None:
            require_tempo("tempo_bpm", self.tempo_bpm)
        if self.best_of is not None:
            whole("best_of", self.best_of, most=MOST_TRIES)
        if self.ending and self.draft.kept[:, -1].all():
            raise ConfigError("--ending composes the last bar, and yours stays: leave it out")
        if self.chooses and not self.model.judge:
            raise ConfigError(f"{self.model.name} has no judge to choose by: leave best_of at 1")
        sampler = self.model.sampler()
        if self.ending and not sampler.completes:
            raise ConfigError(
                f"{self.model.name} composes no ending: leave out --ending, or use lookback_rnn "
                "or latent_musegan"
            )
        if isinstance(sampler, Accompanist) and self.draft.kept.any():
            sampler.require_draft(self.draft)
        elif self.draft.kept.any():
            sampler.require_completion()
        sampler.require(self.steering)

    def songs(self, count: int = 1, seed: int = 0) -> list[Roll]:
        """Compose songs; `ConfigError` for what the model cannot do, see `require`."""
        return list(self.each_song(count, seed))

    @torch.no_grad()
    def each_song(
        self, count: int = 1, seed: int = 0, tick: Tick = lambda done, total: None
    ) -> Iterator[Roll]:
        """Compose songs; yield each once it is sampled. See `songs`."""
        count, seed = whole("count", count, most=MOST_SONGS), require_seed(seed)
        self.require()
        labels, songs = self.labels(count, seed), self._best(count, seed, tick)
        for number, (label, song) in enumerate(zip(labels, songs, strict=True)):
            ended = self._ended(song, (seed, number)) if self.ending else song
            if (silent := self._silent(ended)) is not None:
                LOG.warning(
                    "%s: no note was composed%s: take another seed or a higher density",
                    *(label.name, silent),
                )
            yield label.on(self._roll(ended, (seed, number)))

    def _best(self, count: int, seed: int, tick: Tick) -> Iterator[Notes]:
        judge, of_each = self.model.judge, self.best_of or 1
        if not (judge and self.chooses):
            return self._composed(count, seed, tick)
        draft, songs = self.draft, self._composed(count * of_each, seed, tick)
        form = draft.bars, draft.grid, draft.tracks
        return judge.chosen(songs, of_each, form, most_real)

    def _composed(self, count: int, seed: int, tick: Tick) -> Iterator[Notes]:
        if self.draft.kept.any():
            return self.model.sampler(tick).complete(self.draft, count, seed, self.steering)
        tries = None if self.best_of is None else 1
        return self.model.pieces(count, seed, self.draft.bars, self.steering, tick, tries)

    def _silent(self, song: Notes) -> str | None:
        """Return for which of the tracks that are asked for no note starts in a bar to compose.

        Empty where none does at all, None where all that are named do.
        """
        bar = song.start // self.draft.grid.steps_per_bar
        composed = set(song.track[~self.draft.kept[song.track, bar]].tolist())
        asked = numbers_of(self.request.tracks, self.draft.tracks, "--tracks")
        silent = [self.draft.tracks[n].name.lower() for n in asked if n not in composed]
        if not composed:
            return ""
        return f" for {', '.join(silent)}" if silent else None

    def _ended(self, song: Notes, part: Sequence[int]) -> Notes:
        """Compose the ending of a song, with random numbers of its own."""
        key = self.steering.key or key_of(song, self.draft.tracks, self.draft.grid)
        if key is None:
            return song
        seed = int(np.random.SeedSequence(part).generate_state(1)[0])
        density = max(THIN * self.steering.density, LEAST_DENSITY)
        thin = self.steering.replace(density=density, form="")
        return self.model.complete(ending_of(self.draft, song, key), 1, seed, thin)[0]

    def _roll(self, song: Notes, part: tuple[int, int]) -> Roll:
        """Return a song with its tempi; a new one is on the grid of the model."""
        spec, draft = self.model.spec, self.draft
        if draft.placed:
            roll = draft.finished(song)
            usual = roll.tempo_bpm
        else:
            usual = np.full(draft.bars, spec.tempo_bpm(*part))
            roll = Roll.of(song, draft.tracks, draft.grid, usual)
        tempo = usual if self.tempo_bpm is None else np.full(draft.bars, float(self.tempo_bpm))
        form, key = self.request.form or self.steering.form, self.steering.key
        return replace(roll, tempo_bpm=tempo, form=form, key=key.name if key else "")
