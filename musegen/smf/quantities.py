"""Variable-length quantities: numbers of 7 bits a byte."""

import numpy as np


def quantities(raw: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variable-length quantities (7 bits a byte, up to 4) here, and the indices after.

    >>> quantities(np.array([5, 0x81, 0x48], np.uint8), np.array([0, 1]))
    (array([  5, 200]), array([1, 3]))
    """
    byte, after = raw[at], at + 1
    value, longer = (byte & 0x7F).astype(np.int64), (byte >= 0x80).nonzero()[0]
    for _ in range(3):
        if not len(longer):
            break
        byte = raw[after[longer]]
        value[longer] = value[longer] << 7 | byte & 0x7F
        after[longer] += 1
        longer = longer[byte >= 0x80]
    return value, after


def quantity(midi: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length quantity here, and the index after it."""
    value, last = midi[at] & 0x7F, at + 3
    while midi[at] >= 0x80 and at < last:
        at += 1
        value = value << 7 | midi[at] & 0x7F
    return value, at + 1


def encoded(value: int) -> bytes:
    """Return a variable-length quantity, the inverse of `quantity`.

    >>> encoded(5), encoded(200)
    (b'\\x05', b'\\x81H')
    """
    lowest_first = [value & 0x7F]
    while value := value >> 7:
        lowest_first.append(value & 0x7F | 0x80)
    return bytes(lowest_first[::-1])
