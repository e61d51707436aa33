"""Drums that are a part each: the keys of General MIDI that their names stand for.

A sampler plays its one sound at a C, and songs of samplers have all drums at the same one.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from musegen.reading.timed_notes import TimedNotes
from musegen.tracks import Part

OCTAVE = 12

KEYS_OF_NAMES = {
    re.compile(words, re.IGNORECASE): keys
    for words, keys in (
        (r"kick|\bkik\b|bass ?drum|\bbd\b|grosse ?trommel|große trommel|bombo|キック", (36, 35)),
        (r"side ?stick|\brims?\b|rim ?shot", (37,)),
        (r"snare|\bsnr\b|\bsd\b|\bsn\b|kleine trommel|スネア", (38, 40)),
        (r"\bclaps?\b|\bsnaps?\b", (39,)),
        (r"(hat|\bhh).*open|open.*(hat|\bhh)|\bohh?\b", (46,)),
        (r"\bhats?\b|hi.?hat|\bhh\b|\bchh?\b|ハイハット", (42, 44, 46)),
        (r"\btoms?\b", (45, 41, 43, 47, 48, 50)),
        (r"crash", (49, 57)),
        (r"\bride\b", (51, 53, 59)),
        (r"splash", (55,)),
        (r"tambourine", (54,)),
        (r"cowbell", (56,)),
        (r"\bbongos?\b", (60, 61)),
        (r"\bcongas?\b", (63, 62, 64)),
        (r"timbales?\b", (65, 66)),
        (r"agogo", (67, 68)),
        (r"\bshakers?\b|maracas?\b", (70, 69, 82)),
        (r"\bclaves?\b", (75,)),
        (r"wood ?block", (76, 77)),
        (r"triangle", (81, 80)),
    )
}
"""Words in names of drums, and their keys, of which the first is the usual one."""


def with_keys_of_names(
    notes: TimedNotes, parts: Sequence[Part], are_drums: Sequence[bool]
) -> TimedNotes:
    """Return the notes with those of drums in their keys whose part has one C alone, which is none
    of the one drum that its name says."""
    pitch = notes.pitch
    for part, is_drum in zip(parts, are_drums, strict=True):
        if not is_drum or not (keys := _keys_of(part.name)):
            continue
        mine = notes.part == part.order
        struck = np.unique(notes.pitch[mine]).tolist()
        if len(struck) == 1 and struck[0] % OCTAVE == 0 and struck[0] not in keys:
            pitch = np.where(mine, keys[0], pitch)
    return notes if pitch is notes.pitch else replace(notes, pitch=pitch)


@lru_cache(10_000)
def _keys_of(name: str) -> tuple[int, ...]:
    """Return the keys of the drum that a name says; none where it says none, or several.

    >>> _keys_of("Snare 2"), _keys_of("Kick + Snare"), _keys_of("Drums")
    ((38, 40), (), ())
    """
    found = [keys for words, keys in KEYS_OF_NAMES.items() if words.search(name)]
    return found[0] if len({keys[-1] for keys in found}) == 1 else ()
