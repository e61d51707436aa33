"""Captions as tokens, and the network that encodes tokens as the condition c.

>>> captions = Captions(words=("a", "red", "circle"))
>>> captions.encode(["A red circle", "a rde circle"]).shape
torch.Size([2, 32, 13])
>>> captions.unknown("a rde circle")
['rde']

A word's token is its index in the vocabulary with its hashed letter triples (letter-trigram
hashing; Huang et al., Learning Deep Structured Semantic Models, CIKM 2013): a word that is unknown
or misspelt shares triples with known ones.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict

WORDS = 32
"""Words of a caption that are encoded; further ones are cut off."""
TRIPLES = 12
"""Letter triples of a word that are encoded."""
BUCKETS = 2048
"""Buckets of the hash of letter triples; 0 is padding."""

Tokens = Int[Tensor, "batch word token"]
"""A word: its index in the vocabulary (0: padding, 1: unknown, 2...: known), then triples."""
Condition = Float[Tensor, "batch condition"]

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words_of(caption: str) -> list[str]:
    """Return the words of a caption in lower case.

    >>> words_of("A dog's life: two_words")
    ['a', "dog's", 'life', 'two', 'words']
    """
    return _WORD.findall(caption.lower())


def vocabulary(captions: Iterable[str], most: int = 10_000) -> tuple[str, ...]:
    """Return the words of the captions in alphabetical order, at most the `most` frequent."""
    counts: dict[str, int] = {}
    for caption in captions:
        for word in words_of(caption):
            counts[word] = counts.get(word, 0) + 1
    common = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return tuple(sorted(common))


@lru_cache(maxsize=100_000)
def _triples(word: str) -> tuple[int, ...]:
    marked = f"<{word}>"
    triples = [marked[i : i + 3] for i in range(len(marked) - 2)][:TRIPLES]
    hashed = [1 + zlib.crc32(triple.encode()) % (BUCKETS - 1) for triple in triples]
    return (*hashed, *[0] * (TRIPLES - len(hashed)))


class Captions:
    """Tokeniser of captions, with the vocabulary of the training captions."""

    def __init__(self, words: Sequence[str]):
        self.index = {word: n for n, word in enumerate(words, 2)}

    def encode(self, captions: Sequence[str]) -> Tokens:
        """Return the tokens of captions, padded with 0 and cut off after `WORDS` words."""
        tokens = torch.zeros(len(captions), WORDS, 1 + TRIPLES, dtype=torch.int64)
        for row, caption in zip(tokens, captions, strict=True):
            words = words_of(caption)[:WORDS]
            if words:
                encoded = [(self.index.get(word, 1), *_triples(word)) for word in words]
                row[: len(words)] = torch.tensor(encoded)
        return tokens

    def unknown(self, caption: str) -> list[str]:
        """Return the words of a caption that are not in the vocabulary."""
        return [word for word in words_of(caption) if word not in self.index]


class TextConfig(Strict):
    """Sizes of the caption encoder: `width` of word embeddings and of c, `layers` of the GRU."""

    width: int = Field(default=128, gt=0)
    layers: int = Field(default=1, gt=0)


class CaptionEncoder(nn.Module):
    """Map tokens to the condition c: word embeddings, then a bidirectional GRU."""

    def __init__(self, config: TextConfig, words: int):
        super().__init__()
        self.word = nn.Embedding(words + 2, config.width, padding_idx=0)
        self.triple = nn.EmbeddingBag(BUCKETS, config.width, mode="mean", padding_idx=0)
        self.gru = nn.GRU(
            config.width, config.width // 2, config.layers, batch_first=True, bidirectional=True
        )
        self.out = nn.Sequential(nn.Linear(config.width, config.width), nn.LeakyReLU(0.2))

    def forward(self, tokens: Tokens) -> Condition:
        lengths = (tokens[..., 0] > 0).sum(1)
        tokens = tokens[:, : max(1, int(lengths.max()))]
        triples = self.triple(tokens[..., 1:].flatten(0, 1))  # [(batch word) condition]
        triples = triples.unflatten(0, tokens.shape[:2])  # [batch word condition]
        words = self.word(tokens[..., 0]) + triples
        with torch.autocast(tokens.device.type, enabled=False):
            return self.out(self._last_states(words.float(), lengths))

    def _last_states(
        self, words: Float[Tensor, "batch word condition"], lengths: Int[Tensor, " batch"]
    ) -> Condition:
        """Return the final state of each direction, concatenated; padding has no influence."""
        packed = nn.utils.rnn.pack_padded_sequence(
            words, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.gru(packed)
        return torch.cat([last[-2], last[-1]], 1)
