"""Events of a file beside its notes, found when somebody asks: few songs need them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from musegen.files.controls import Messages
from musegen.reading.bars import Bars
from musegen.roll import KEY_SIGNATURE, Mark
from musegen.smf.events import Events
from musegen.smf.kinds import CUE, LYRIC, MARKER, TEXT
from musegen.tonality import key_of_signature

MARKS = (LYRIC, MARKER, CUE, KEY_SIGNATURE)
"""The kinds of meta events that stay with a user's song."""

KARAOKE, ABOUT = b"@K", b"@"
"""Beginnings of texts: of one that says that the texts of a file are its lyrics, and of those
that are none."""

C_MAJOR = bytes(2)
"""The key signature that programs write where nobody chose one."""


@dataclass(frozen=True)
class Beside:
    """The controllers, lyrics, markers and keys of a file, at the steps of its kept bars.

    lowered: what is left of bends that are in the pitches of notes, see `HeldBends`.
    """

    events: Events
    bars: Bars
    lowered: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def messages(self) -> Messages:
        """Return those that set controllers."""
        messages = Messages.of(self.events, self.lowered)
        return replace(messages, at=self.bars.steps(messages.at))

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Return the lyrics, markers and cue points in the bars, and the keys, in order.

        What several tracks say at one step counts once.
        C major alone is left out, which programs write where nobody chose a key. The lyrics of a
        karaoke file (.kar) are its texts.
        """
        events = self.events
        texts = {number: events.payload(number) for number in events.metas(TEXT)}
        is_karaoke = any(text.startswith(KARAOKE) for text in texts.values())
        sung = [number for number, text in texts.items() if not text.startswith(ABOUT)]
        marked = [number for kind in MARKS for number in events.metas(kind)]
        found = events.by_time(marked + sung * is_karaoke)
        ticks, kinds = events.tick[found], events.byte(0, found)
        kinds = np.where(kinds == TEXT, LYRIC, kinds)
        stays = self.bars.have(ticks) | (kinds == KEY_SIGNATURE)
        columns = (self.bars.steps(ticks), kinds, found)
        rows = zip(*(column[stays].tolist() for column in columns), strict=True)
        marks = list(
            dict.fromkeys(Mark(at, kind, events.payload(number)) for at, kind, number in rows)
        )
        keys = [mark for mark in marks if mark.kind == KEY_SIGNATURE]
        valid = [mark for mark in keys if key_of_signature(mark.data)]
        chosen = valid if {mark.data for mark in valid} != {C_MAJOR} else []
        return tuple(mark for mark in marks if mark.kind != KEY_SIGNATURE or mark in chosen)
