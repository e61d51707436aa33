"""A prepared collection: its pieces for training, and those held out for test."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import numpy as np
from jaxtyping import Int

from core.data.store import Store
from core.errors import UserError

Split = Literal["train", "test"]
RECORDED: dict[Split, str] = {"train": "seen", "test": "held_out"}
"""The names of splits in the record of a run."""

Opened = TypeVar("Opened", bound="Prepared")


class Prepared:
    """A store of one domain, whose global columns have one row for each piece."""

    DOMAIN: ClassVar[str]

    def __init__(self, store: Store):
        self.store = store
        if store.facts.get("domain") != self.DOMAIN:
            raise UserError(
                f"{store.folder} holds no prepared {self.DOMAIN}: give a folder that "
                f"`{self.DOMAIN} prepare` wrote"
            )

    @classmethod
    def open(cls: type[Opened], folder: str | Path) -> Opened:
        """Open a folder that `prepare` wrote; digests are verified."""
        return cls(Store(Path(folder)))

    def __repr__(self) -> str:
        return str(self.store.folder)

    @property
    def digest(self) -> str:
        """Digest of the prepared data."""
        return self.store.digest

    @cached_property
    def _indices(self) -> dict[str, np.ndarray]:
        split = self.store.whole["is_test"]
        return {"train": np.flatnonzero(~split), "test": np.flatnonzero(split)}

    @property
    def splits(self) -> tuple[Split, ...]:
        """Splits that have any pieces."""
        both: tuple[Split, ...] = ("train", "test")
        return tuple(split for split in both if len(self.indices(split)))

    def indices(self, split: Split) -> Int[np.ndarray, " piece"]:
        """Return the indices of the pieces of a split."""
        return self._indices[split]
