"""Clips with their captions, and lists of them."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from videogen.data.manifest import CUT
from videogen.files.clock import Excerpt
from videogen.files.tree import File

Origin = Literal["manifest", "text", "folder", "name"]
CaptionSource = Literal["auto", "manifest", "text", "folder", "name"]
"""auto: the first of the others, in this order, that exists for a file."""

_OF_YOUTUBE = re.compile(r"(?=.*[a-z])(?=.*[A-Z\d])[\w-]{11}")
"""The id of a film: no word."""


@dataclass(frozen=True)
class Captioned:
    """A clip with its caption, or with `fault`, the reason why it is rejected.

    `files`: a video file, or the pictures of a sequence. `state` changes when they do. `excerpt`:
    the part that the caption describes, if not the whole. `is_cut`, `other_name`: see `Row`.
    """

    name: str
    state: str
    caption: str = ""
    origin: Origin | None = None
    fault: tuple[str, str] | None = None
    files: tuple[File, ...] = ()
    excerpt: Excerpt | None = None
    is_cut: bool = False
    other_name: str = ""

    @property
    def film(self) -> tuple[str, float]:
        """Return the name of the film of which it is a part, and the second at which it begins.

        >>> Captioned("clips/Ab1dEf2hIj3_5_15.avi", "").film
        ('clips/Ab1dEf2hIj3.avi', 5.0)
        """
        place, begin = Path(self.name), self.excerpt[0] if self.excerpt else 0.0
        cut = CUT.fullmatch(place.stem)
        if not cut or not (self.is_cut or _OF_YOUTUBE.fullmatch(cut["id"])):
            return self.name, begin
        times = float(cut["begin"]), float(cut["end"])
        film = str(place.with_name(cut["id"] + place.suffix))
        return film, begin if self.excerpt == times else times[0] + begin


@dataclass
class Listing:
    """The clips found; `passed_over` counts files of other kinds by suffix."""

    clips: list[Captioned] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        """Return a digest of the names, states and captions."""
        digest = hashlib.sha256()
        for clip in self.clips:
            facts = (clip.name, clip.state, clip.caption, clip.origin, clip.fault)
            facts += (clip.excerpt,) * bool(clip.excerpt)
            facts += (True,) * clip.is_cut
            digest.update(repr(facts).encode(errors="surrogateescape"))
        return digest.hexdigest()
