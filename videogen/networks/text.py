"""Captions as tokens, and the network that encodes tokens as the condition c.

>>> captions = Captions(words=("a", "red", "circle"))
>>> captions.encode(["A red circle", "a rde circle"]).shape
torch.Size([2, 32, 13])
>>> captions.unknown("a rde circle")
['rde']
>>> Captions(words=("a", "dog", "cat"), clauses=2).clauses_of("a dog and a cat and a rat")
[['a', 'dog'], ['a', 'cat', 'and', 'a', 'rat']]

A word's token is its index in the vocabulary with its hashed letter triples (letter-trigram
hashing; Huang et al., Learning Deep Structured Semantic Models, CIKM 2013): a word that is unknown
or misspelt shares triples with known ones.
"""

import warnings
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Strict
from core.theory.tracing import is_traced
from videogen.words import WORDS, letter_triples, words_of

warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
"""Those of one direction are copied into one at each call: they are few."""

JOINS = "and"
"""The word between two clauses."""
TRIPLES = 12
"""Letter triples of a word that are encoded."""
BUCKETS = 2048
"""Buckets of the hash of letter triples; 0 is padding."""

Tokens = Int[Tensor, "batch word token"]
"""A word: its index in the vocabulary (0: padding, 1: unknown, 2...: known), then triples.

Each clause has `WORDS` words, padded.
"""
Condition = Float[Tensor, "batch condition"]
Words = Float[Tensor, "batch word condition"]
Levels = tuple[Float[Tensor, "batch earlier"], Condition]
"""A caption as filters read it: an earlier level, empty for most readers, and the condition."""


@lru_cache(maxsize=100_000)
def _triples(word: str) -> tuple[int, ...]:
    triples = letter_triples(word)[:TRIPLES]
    hashed = [1 + zlib.crc32(triple.encode()) % (BUCKETS - 1) for triple in triples]
    return (*hashed, *[0] * (TRIPLES - len(hashed)))


class Captions:
    """Tokeniser of captions, with the vocabulary of the training captions.

    `clauses`: the most clauses of a caption that are encoded apart.
    """

    def __init__(self, words: Sequence[str], clauses: int = 1):
        self.index = {word: n for n, word in enumerate(words, 2)}
        self.clauses = clauses

    def encode(self, captions: Sequence[str]) -> Tokens:
        """Return the tokens of captions, each clause padded with 0 and cut off after `WORDS`."""
        tokens = torch.zeros(len(captions), self.clauses, WORDS, 1 + TRIPLES, dtype=torch.int64)
        for row, caption in zip(tokens, captions, strict=True):
            for clause, words in zip(row, self.clauses_of(caption), strict=False):
                if words := words[:WORDS]:
                    encoded = [(self.index.get(word, 1), *_triples(word)) for word in words]
                    clause[: len(words)] = torch.tensor(encoded)
        return tokens.flatten(1, 2)  # [batch (clause word) token]

    def clauses_of(self, caption: str) -> list[list[str]]:
        """Return the words of each clause; what is beyond the most clauses stays in the last."""
        clauses: list[list[str]] = [[]]
        for word in words_of(caption):
            if word == JOINS and clauses[-1] and len(clauses) < self.clauses:
                clauses.append([])
            else:
                clauses[-1].append(word)
        return clauses

    def unknown(self, caption: str) -> list[str]:
        """Return the words of a caption that are not in the vocabulary."""
        return [word for word in words_of(caption) if word not in self.index]


Reader = Literal["gru", "ngrams", "convolutions"]


class TextConfig(Strict):
    """The caption encoder: its `reader` of words, the `width` of word embeddings and of c.

    "gru" reads the words of a clause in both directions, in so many `layers`. "ngrams" adds up
    what three words after each other say (a convolution, as in TFGAN): halves of a caption that
    were trained on apart then add up as those that were trained on together. "convolutions" is
    TFGAN's own, of the first sixteen words, at its sizes where `width` is 256.
    """

    reader: Reader = "gru"
    width: int = Field(default=128, gt=0)
    layers: int = Field(default=1, gt=0)


class CaptionEncoder(nn.Module):
    """Map tokens to the condition c, clause by clause: word embeddings, then what reads them."""

    earlier = 0
    """Numbers of the earlier level of a clause."""

    def __init__(self, config: TextConfig, words: int):
        super().__init__()
        self.word = nn.Embedding(words + 2, config.width, padding_idx=0)
        self.triple = nn.EmbeddingBag(BUCKETS, config.width, mode="mean", padding_idx=0)

    def forward(self, tokens: Tokens) -> Condition:
        return self.levels(tokens)[1]

    def levels(self, tokens: Tokens) -> Levels:
        """Return what filters read: the earlier level and the condition."""
        clauses = tokens.unflatten(1, (-1, WORDS))  # [batch clause word token]
        there = clauses[:, :, 0, 0] > 0
        there[:, 0] = True
        earlier, c = self._encode(clauses.flatten(0, 1))  # both [(batch clause) number]
        return self._joined(earlier, there), self._joined(c, there)

    @staticmethod
    def _joined(
        codes: Float[Tensor, "_ number"], there: Bool[Tensor, "batch clause"]
    ) -> Float[Tensor, "batch _"]:
        each = codes.unflatten(0, there.shape)  # [batch clause number]
        return (each * there[..., None]).flatten(1)  # [batch (clause number)]

    def _triples(self, triples: Tokens) -> Words:
        """Return the mean embedding of the letter triples of each word."""
        if is_traced():
            is_there = (triples > 0)[..., None]
            embedded = F.embedding(triples, self.triple.weight) * is_there
            return embedded.sum(2) / is_there.sum(2).clamp(min=1)
        each = self.triple(triples.flatten(0, 1))  # [(batch word) condition]
        return each.unflatten(0, triples.shape[:2])  # [batch word condition]

    def read(self, words: Words, lengths: Int[Tensor, " batch"]) -> Levels:
        """Return both levels of clauses of so many words; padding has no influence."""
        raise NotImplementedError

    def _encode(self, tokens: Tokens) -> Levels:
        lengths = (tokens[..., 0] > 0).sum(1)
        if not _is_padded(tokens):
            tokens = tokens[:, : max(1, int(lengths.max()))]
        triples = self._triples(tokens[..., 1:])
        words = self.word(tokens[..., 0]) + triples
        with torch.autocast(tokens.device.type, enabled=False):
            return self.read(words.float(), lengths.clamp(min=1))


def _is_padded(x: Tensor) -> bool:
    """Return True where no size may depend on values, for which a device would have to wait."""
    return is_traced() or not x.is_cpu


class RecurrentCaptionEncoder(CaptionEncoder):
    """Read words by a GRU in both directions: the last states, then a dense layer."""

    def __init__(self, config: TextConfig, words: int):
        super().__init__(config, words)
        width = config.width
        self.gru = nn.GRU(width, width // 2, config.layers, batch_first=True, bidirectional=True)
        self.out = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2))

    def read(self, words: Words, lengths: Int[Tensor, " batch"]) -> Levels:
        if _is_padded(words):
            return _alone(self.out(self._last_states(words, lengths)))
        packed = nn.utils.rnn.pack_padded_sequence(
            words, lengths, batch_first=True, enforce_sorted=False
        )
        _, last = self.gru(packed)
        return _alone(self.out(torch.cat([last[-2], last[-1]], 1)))

    def _last_states(self, words: Words, lengths: Int[Tensor, " batch"]) -> Condition:
        """Return the last states of both directions of padded words, which are not packed."""
        order = torch.arange(words.shape[1], device=words.device)
        index = (lengths[:, None] - 1 - order) % words.shape[1]  # words reversed, padding behind

        def turned(x: Words) -> Words:
            return x.gather(1, index[..., None].expand_as(x))

        x = forward = words
        for ahead, back in zip(*[iter(self.gru.all_weights)] * 2, strict=True):
            forward = self._states(x, ahead)
            x = torch.cat([forward, turned(self._states(turned(x), back))], 2)
        return torch.cat([turned(forward)[:, 0], x[:, 0, forward.shape[2] :]], 1)

    def _states(self, x: Words, weights: list[Tensor]) -> Float[Tensor, "batch word state"]:
        """Return the states of one direction of a layer."""
        before = x.new_zeros(1, x.shape[0], self.gru.hidden_size)
        has_gradient = torch.is_grad_enabled()  # cuDNN keeps what its gradient needs where asked
        return torch.gru(x, before, weights, True, 1, 0.0, has_gradient, False, True)[0]


class NGramCaptionEncoder(CaptionEncoder):
    """Read each word between its neighbours by a convolution; the mean over the words."""

    def __init__(self, config: TextConfig, words: int):
        super().__init__(config, words)
        self.ngrams = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.out = nn.Linear(config.width, config.width)

    def read(self, words: Words, lengths: Int[Tensor, " batch"]) -> Levels:
        said = _said(words, lengths)
        read = self.ngrams((words * said).mT).mT  # [batch word condition]
        read = F.leaky_relu(read, 0.2) * said
        return _alone(self.out(read.sum(1) / lengths[:, None]))


class ConvolutionalCaptionEncoder(CaptionEncoder):
    """Read the first sixteen words by three convolutions, as TFGAN does, on two levels.

    Where c has 256 numbers, convolutions have 512, 512 and 256 channels, and the earlier level
    2,560 numbers: Balaji et al., IJCAI 2019, section 3.2, and their code.
    """

    WORDS_READ = 16
    PLACES = 5
    """Places of the earlier level, of sixteen words that are convolved, halved and convolved."""

    def __init__(self, config: TextConfig, words: int):
        super().__init__(config, words)
        width = config.width
        self.earlier = 2 * width * self.PLACES
        self.first = nn.Sequential(
            nn.Conv1d(width, 2 * width, 3),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(2 * width, 2 * width, 3),
            nn.ReLU(),
        )
        self.second = nn.Sequential(nn.MaxPool1d(2), nn.Conv1d(2 * width, width, 2), nn.ReLU())

    def read(self, words: Words, lengths: Int[Tensor, " batch"]) -> Levels:
        read = (words * _said(words, lengths)).mT  # [batch condition word]
        padded = F.pad(read, (0, self.WORDS_READ - read.shape[2]))
        earlier = self.first(padded)  # [batch channel place]
        c = self.second(earlier).squeeze(2)  # [batch condition]
        return earlier.flatten(1), c  # [batch (channel place)], [batch condition]


def _alone(c: Condition) -> Levels:
    """Return the levels of a reader without an earlier one."""
    return c.new_zeros(c.shape[0], 0), c  # len is a constant of an exported graph


def _said(words: Words, lengths: Int[Tensor, " batch"]) -> Bool[Tensor, "batch word 1"]:
    """Return where words are, and no padding."""
    number = torch.arange(words.shape[1], device=words.device)
    return (number < lengths[:, None])[..., None]  # [batch word 1]


ENCODERS: dict[Reader, type[CaptionEncoder]] = {
    "gru": RecurrentCaptionEncoder,
    "ngrams": NGramCaptionEncoder,
    "convolutions": ConvolutionalCaptionEncoder,
}


def caption_encoder(config: TextConfig, words: int) -> CaptionEncoder:
    """Build the encoder of captions with `words` words in their vocabulary."""
    return ENCODERS[config.reader](config, words)
