"""The words of captions, and the vocabulary of many."""

import re
from collections.abc import Iterable
from functools import lru_cache

WORDS = 32
"""Words of a clause that are encoded; further ones are cut off."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words_of(caption: str) -> list[str]:
    """Return the words of a caption in lower case.

    >>> words_of("A dog's life: two_words")
    ['a', "dog's", 'life', 'two', 'words']
    """
    return _WORD.findall(caption.lower())


@lru_cache(10_000)  # the words of captions return in most of them
def letter_triples(word: str) -> tuple[str, ...]:
    """Return every three letters of a word that follow each other, with its ends marked.

    >>> letter_triples("ant")
    ('<an', 'ant', 'nt>')
    """
    marked = f"<{word}>"
    return tuple(marked[at : at + 3] for at in range(len(word)))


def vocabulary(captions: Iterable[str], most: int = 10_000) -> tuple[str, ...]:
    """Return the words of the captions in alphabetical order, at most the `most` frequent."""
    counts: dict[str, int] = {}
    for caption in captions:
        for word in words_of(caption):
            counts[word] = counts.get(word, 0) + 1
    common = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return tuple(sorted(common))
