"""The captions that a model can mean: those that lie as near to sentences in its training as
these lie to each other.

The distance is that of the caption encoder's conditions c, in units of their spread over the
training captions: |W (c - c')| with W' W = inverse of (covariance + e I), Mahalanobis's distance
shrunk as in Ledoit and Wolf (2004); e is a thousandth of the largest eigenvalue. A caption is
familiar up to `MARGIN` times the largest distance of a training caption to the nearest other one.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import itemgetter

import torch
from jaxtyping import Float
from torch import Tensor

from videogen.networks.text import Condition
from videogen.words import letter_triples, words_of

MARGIN = 1.05
"""Held-out captions of moving shapes lay up to 1.02 times as far as those in training."""
SHRINKAGE = 0.001
MOST_CAPTIONS = 2000
"""Training captions that a run keeps and a caption is compared with."""
SHOWN_LETTERS, SHOWN_WORDS = 100, 6
"""Letters of a caption and unknown words in a message."""


class Familiarity:
    """The training captions of a model, and how it reads captions.

    `clauses_of`: the parts of a caption that are read apart, and compared apart. `written`: of a
    clause that is a whole caption, that caption as it is written.
    """

    def __init__(
        self,
        captions: Sequence[str],
        read: Callable[[Sequence[str]], Condition],
        clauses_of: Callable[[str], list[str]] = lambda caption: [caption],
    ):
        self.read, self.clauses_of = read, clauses_of
        captions = captions[:MOST_CAPTIONS]
        split = [clauses_of(caption) for caption in captions]
        pairs = zip(captions, split, strict=True)
        self.written = {clauses[0]: caption for caption, clauses in pairs if len(clauses) == 1}
        self.clauses = list(dict.fromkeys(clause for clauses in split for clause in clauses))
        self.most_clauses = max(map(len, split))
        self.most_words = max(len(words_of(clause)) for clause in self.clauses)

    @cached_property
    def _conditions(self) -> Condition:
        return self.read(self.clauses).double()

    @cached_property
    def _mean(self) -> Float[Tensor, " condition"]:
        return self._conditions.mean(0)

    @cached_property
    def _whitening(self) -> Float[Tensor, "condition condition"]:
        deviation = self._conditions - self._mean
        values, vectors = torch.linalg.eigh(deviation.T @ deviation / len(deviation))
        shrunk = values.clamp(min=0) + SHRINKAGE * values[-1].clamp(min=1e-9)
        return vectors * shrunk.rsqrt()

    @cached_property
    def _whitened(self) -> Condition:
        return (self._conditions - self._mean) @ self._whitening

    @cached_property
    def radius(self) -> float:
        """Return the distance up to which clauses are familiar; 0 for one alone in training."""
        if len(self.clauses) == 1:
            return 0.0
        distances = torch.cdist(self._whitened, self._whitened)
        distances.fill_diagonal_(torch.inf)
        return MARGIN * float(distances.min(1).values.max())

    @cached_property
    def _triples(self) -> list[dict[str, float]]:
        return [triples_of(clause) for clause in self.clauses]

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """Return the inverse document frequency of each triple, log(1 + N / n) (Sparck Jones,
        1972): those of "straight" say more of a clause than those of "in"."""
        held_by = Counter(triple for triples in self._triples for triple in triples)
        return {triple: math.log1p(len(self.clauses) / n) for triple, n in held_by.items()}

    @cached_property
    def _weights(self) -> list[float]:
        return [self._weight(triples) for triples in self._triples]

    def _weight(self, triples: dict[str, float]) -> float:
        """Return the sum of the triples of a clause that are known, by their rarity."""
        rarity = self._rarity
        return math.fsum(rarity[triple] * n for triple, n in triples.items() if triple in rarity)

    def _common(self, clause: str) -> list[float]:
        """Return the share of its triples that a clause has in common with each in training, by
        their rarity."""
        rarity, own = self._rarity, triples_of(clause)
        known, weight = [(t, n) for t, n in own.items() if t in rarity], self._weight(own)

        def share(other: dict[str, float], others: float) -> float:
            common = math.fsum(rarity[t] * min(n, other[t]) for t, n in known if t in other)
            either = weight + others - common
            return round(common / either, 9) if either else 0.0  # equal ones are ties

        return [share(*one) for one in zip(self._triples, self._weights, strict=True)]

    def nearest(self, clause: str) -> tuple[str, float]:
        """Return a clause in training to propose in a clause's place, and the least distance.

        It has the largest share of letter triples in common, by their weights; of several such it
        is the nearest.
        """
        distances, common = self._distances(clause), self._common(clause)

        def merit(row: int) -> tuple[float, float]:
            return common[row], -distances[row]

        return self.clauses[max(range(len(distances)), key=merit)], min(distances)

    def _distances(self, clause: str) -> list[float]:
        """Return the distance of a clause to each in training."""
        c = (self.read([clause]).double() - self._mean) @ self._whitening
        return torch.cdist(c, self._whitened)[0].tolist()

    def _halves(self, clauses: Sequence[str]) -> tuple[str, str] | tuple[()]:
        """Return the halves of a clause that begins as one in training and ends as another.

        The first half is as long as can be; nothing is returned of clauses that join no such.
        """
        known = [words_of(clause) for clause in self.clauses]
        for words in map(words_of, clauses):
            for cut in range(len(words) - 1, 0, -1):
                first, last = words[:cut], words[cut:]
                begins = any(one[:cut] == first for one in known)
                if begins and any(one[-len(last) :] == last for one in known):
                    return " ".join(first), " ".join(last)
        return ()

    def objection(self, caption: str, unknown: Sequence[str] = ()) -> str:
        """Return why a caption may not be understood; empty for a familiar one.

        `unknown`: its words that were never seen in training.
        """
        clauses = self.clauses_of(caption)
        words = max(len(words_of(clause)) for clause in clauses)
        distance, strangest = max(
            ((min(self._distances(one)), one) for one in clauses), key=itemgetter(0)
        )
        if not words:
            reason = " (it has no words)"
        elif unknown:
            reason = f" (it has {never_seen(unknown)})"
        elif len(clauses) > self.most_clauses:
            reason = f" ({len(clauses)} clauses, and there at most {self.most_clauses})"
        elif words > self.most_words:
            reason = f" ({words} words, and there at most {self.most_words})"
        elif distance > self.radius:
            halves = " and ".join(f'"{half}"' for half in self._halves(clauses))
            reason = f" (it joins {halves}, never together there)" if halves else ""
        else:
            return ""
        nearest, _ = self.nearest(strangest)
        shown, known = shortened(caption), shortened(self.written.get(nearest, nearest))
        return f'"{shown}" is not like the sentences in training{reason}; nearest: "{known}"'


def triples_of(clause: str) -> dict[str, float]:
    """Return how much of a clause its letter triples are: a word is 1.

    >>> triples_of("an ox")
    {'<an': 0.5, 'an>': 0.5, '<ox': 0.5, 'ox>': 0.5}
    """
    triples: dict[str, float] = {}
    for word in words_of(clause):
        for triple in letter_triples(word):
            triples[triple] = triples.get(triple, 0.0) + 1 / len(word)
    return triples


def never_seen(words: Sequence[str]) -> str:
    """Return the words as part of a sentence on the training."""
    shown = ", ".join(shortened(word) for word in words[:SHOWN_WORDS])
    more = len(words) - SHOWN_WORDS
    return f"words never seen there: {shown}" + (f" and {more} more" if more > 0 else "")


def shortened(text: str) -> str:
    """Return a text of at most `SHOWN_LETTERS`."""
    return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 1]}…"
