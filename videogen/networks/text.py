"""Caption -> condition: what a caption says, as numbers a network can read.

>>> captions = Captions(words=("a", "red", "circle"))
>>> captions.encode(["A red circle", "a rde circle"]).shape
torch.Size([2, 32, 13])
>>> captions.unknown("a rde circle")
['rde']

A word is its place in the vocabulary and its hashed letter triples: a word never seen, or one that
is misspelt, still says something.
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
"""Words of a caption that are read."""
TRIPLES = 12
"""Letter triples of a word that are read."""
BUCKETS = 2048
"""Places into which letter triples are hashed; 0 stands for none."""

Tokens = Int[Tensor, "batch word token"]
"""Of each word its number in the vocabulary (from 2; 1: not in it; 0: no word), then triples."""
Condition = Float[Tensor, "batch condition"]

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words_of(caption: str) -> list[str]:
    """The words of a caption, in small letters.

    >>> words_of("A dog's life: two_words")
    ['a', "dog's", 'life', 'two', 'words']
    """
    return _WORD.findall(caption.lower())


def vocabulary(captions: Iterable[str], most: int = 10_000) -> tuple[str, ...]:
    """All words of the captions, sorted; of more than `most` the commonest."""
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
    """Captions as tokens, with the vocabulary of the captions that were trained on."""

    def __init__(self, words: Sequence[str]):
        self.number = {word: n for n, word in enumerate(words, 2)}

    def encode(self, captions: Sequence[str]) -> Tokens:
        """Words beyond the 32nd are not read."""
        tokens = torch.zeros(len(captions), WORDS, 1 + TRIPLES, dtype=torch.int64)
        for row, caption in zip(tokens, captions, strict=True):
            read = words_of(caption)[:WORDS]
            if read:
                numbers = [(self.number.get(word, 1), *_triples(word)) for word in read]
                row[: len(read)] = torch.tensor(numbers)
        return tokens

    def unknown(self, caption: str) -> list[str]:
        """Words of a caption that were never seen in training."""
        return [word for word in words_of(caption) if word not in self.number]


class TextConfig(Strict):
    """`width`: of a word's embedding and of the condition."""

    width: int = Field(default=128, gt=0)
    layers: int = Field(default=1, gt=0)


class CaptionEncoder(nn.Module):
    """Tokens -> condition: embedded words, read by a GRU in both directions."""

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
        read = tokens[:, : max(1, int(lengths.max()))]
        triples = self.triple(read[..., 1:].flatten(0, 1)).view(*read.shape[:2], -1)
        with torch.autocast(tokens.device.type, enabled=False):
            return self.out(self._read((self.word(read[..., 0]) + triples).float(), lengths))

    def _read(
        self, words: Float[Tensor, "batch word condition"], lengths: Int[Tensor, " batch"]
    ) -> Condition:
        """The last state in each direction, so that padding is never read."""
        packed = nn.utils.rnn.pack_padded_sequence(
            words, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.gru(packed)
        return torch.cat([last[-2], last[-1]], 1)
