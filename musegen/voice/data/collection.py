"""A prepared collection: batches of notes, in pairs of one timbre.

The split is of pairs of an instrument and a pitch: what is held out are pitches of instruments
that training has at others.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from core.data.collection import Prepared, Split
from core.data.store import Store
from musegen.voice.data.records import sounds_of


class NoteBatch(NamedTuple):
    """Notes with their pitches, and the numbers of their timbres among those of the collection."""

    sounds: Float[np.ndarray, "note sample"]
    pitches: Int[np.ndarray, " note"]
    timbres: Int[np.ndarray, " note"]


class Collection(Prepared):
    """Prepared notes of one rate and length."""

    DOMAIN = "voice"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.sample_rate_hz, self.samples = int(facts["sample_rate_hz"]), int(facts["samples"])
        self.lowest, self.highest = int(facts["lowest"]), int(facts["highest"])
        self.timbres: tuple[str, ...] = tuple(facts["timbres"])

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate_hz

    @cached_property
    def _partners(self) -> list[Int[np.ndarray, " note"]]:
        """Return the training notes of each take: one timbre at one velocity."""
        takes = self.store.whole["take"][self.indices("train")]
        order = np.argsort(takes, kind="stable")
        bounds = np.flatnonzero(np.diff(takes[order])) + 1
        return np.split(self.indices("train")[order], bounds)

    def notes_of(self, indices: Int[np.ndarray, " note"]) -> NoteBatch:
        """Return notes by their numbers."""
        whole, shards = self.store.whole, self.store.shards
        notes = np.empty((len(indices), self.samples), np.int16)
        for number, note in enumerate(indices):
            notes[number] = shards[whole["shard"][note]]["notes"][whole["begin"][note]]
        pitches, timbres = (whole[name][indices].astype(int) for name in ("pitch", "timbre"))
        return NoteBatch(sounds_of(notes), pitches, timbres)

    def batch(self, number: int, size: int, seed: int, split: Split = "train") -> NoteBatch:
        """Sample a batch with replacement, a function of the arguments alone."""
        generator = np.random.default_rng([seed, number])
        return self.notes_of(generator.choice(self.indices(split), size))

    def pairs(self, number: int, size: int, seed: int) -> NoteBatch:
        """Sample training notes in pairs: notes 2n and 2n + 1 are of one take.

        Every note is as likely as any other to be the first of a pair.
        """
        generator = np.random.default_rng([seed, number])
        takes = self._partners
        share = np.array([len(take) for take in takes]) / len(self.indices("train"))
        chosen = generator.choice(len(takes), -(-size // 2), p=share)
        notes = np.concatenate([generator.choice(takes[take], 2) for take in chosen])
        return self.notes_of(notes[:size])

    def names(self, timbres: Sequence[int]) -> list[str]:
        """Return the names of timbres."""
        return [self.timbres[timbre] for timbre in timbres]
