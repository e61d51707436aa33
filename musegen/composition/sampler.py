"""A sampler: how the models of one family make songs, from nothing or from a user's draft.

NoteSampler, LookbackSampler    densities of notes
FormSampler                     bar latents along a form
PhraseSampler, Accompanist      networks of phrases, alone and beside given tracks
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.app.progress import parts_of
from core.app.sampling import chunks_of
from core.data.preparation import Tick
from core.errors import ConfigError
from musegen.composition.steered import obeyed
from musegen.drafts.draft import Draft
from musegen.roll import Notes, Phrases
from musegen.steering import UNSTEERED, Steering

if TYPE_CHECKING:
    from musegen.model import Model

OBEYED_BY = {"top_p": "lookback_rnn", "binarisation": "musegan"}
"""Models to use for settings that few have."""


class SongSampler(ABC):
    """Songs of one model; song n depends on the seed and on n alone.

    `completes`: whether any part of a song can be composed beside what is kept of it. `tick`: see
    `ticking`; called with bars. `each`: samples of each song that `notes` returns in succession.
    """

    completes: ClassVar[bool] = False

    def __init__(self, model: "Model", tick: Tick = lambda done, total: None, each: int = 1):
        self.model, self.networks, self.device = model, model.networks, model.device
        self.tick, self.each = tick, each

    def parts(self, count: int, bars: int, growth: int = 2) -> Iterator[Tick]:
        """Yield what to call with the progress of each chunk of so many songs."""
        return parts_of(self.tick, chunks_of(count, growth), bars)

    @property
    def obeys(self) -> frozenset[str]:
        """Return the settings of `Steering` that the model obeys."""
        return obeyed(self.networks)

    @abstractmethod
    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Notes]:
        """Sample pieces of so many bars; yield each once it is sampled."""

    def cells(self, count: int, seed: int, bars: int) -> Phrases:
        """Sample the same pieces as cells."""
        return self.model.cells_of(list(self.notes(count, seed, bars, UNSTEERED)), bars)

    def complete(self, draft: Draft, count: int, seed: int, steering: Steering) -> Iterator[Notes]:
        """Compose what a draft leaves open; yield whole songs. `ConfigError` where it cannot."""
        raise self._completes_none

    def require_completion(self) -> None:
        """Raise `ConfigError` for a model that cannot complete any part of a song."""
        if not self.completes:
            raise self._completes_none

    @property
    def _completes_none(self) -> ConfigError:
        return ConfigError(
            f"{self.model.name} completes no songs: use lookback_rnn or latent_musegan"
        )

    def require(self, steering: Steering) -> None:
        """Raise `ConfigError` for a setting that the model does not obey, and for other things."""
        if not isinstance(steering, Steering):
            raise ConfigError(
                f"steering is a Steering, such as Steering(density=2), not {steering!r}"
            )
        for name in sorted(steering.used - self.obeys):
            others = OBEYED_BY.get(name, "lookback_rnn or latent_musegan")
            raise ConfigError(
                f"{self.model.name} has no {name} to sample with: leave it out, or use {others}"
            )
