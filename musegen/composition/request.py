"""A request: which songs of the user to begin with, what to keep of them and what to compose."""

import re
from functools import partial
from pathlib import Path

from pydantic import Field

from core.app.label import shortened, side_by_side
from core.config import Strict
from core.errors import ConfigError
from musegen.drafts.draft import Draft
from musegen.drafts.source import Source, log_remarks
from musegen.drafts.wishes import accompaniment, blank, bridge, continuation, infill, remix
from musegen.files.limits import MOST_BARS
from musegen.reading.metres import Meter
from musegen.roll import Grid
from musegen.tracks import Track

BARS = 16
"""Bars of a new song."""

ADDED_BARS = 8
"""Bars that go on after a song, or lead from one to another."""

SECTION_BARS = 4
"""Bars of a section of a remix."""


class Request(Strict):
    """The wishes of one command; at most one of `given`, `continued`, `between` and `remixed`.

    given: a song of which the tracks `keep` stay over its whole length, or of which the bars
    `fill` ("5-8", from 1) are composed. continued: a song that goes on for `bars`. between: two
    songs with `bars` between them. remixed: a song's sections of `section_bars` in the order of
    `form`. tracks: those to compose. pickup_beats: quarter notes before the first bar of a song.
    meter: any divides all beats of a song into bars, whatever its time signatures.
    """

    given: Path | None = None
    keep: tuple[str, ...] = ()
    fill: str = ""
    continued: Path | None = None
    between: tuple[Path, Path] | None = None
    remixed: Path | None = None
    tracks: tuple[str, ...] = ()
    bars: int | None = Field(default=None, gt=0, le=MOST_BARS)
    form: str = ""
    section_bars: int | None = Field(default=None, gt=0, le=MOST_BARS)
    pickup_beats: float = Field(default=0.0, ge=0)
    meter: Meter = "kept"

    @property
    def kind(self) -> str:
        """Return a name for what is composed from the user's songs; empty for new songs."""
        if self.given:
            return f"{'accompaniment' if self.keep else 'fill'}-{shortened(self.given.stem)}"
        if self.continued:
            return f"continuation-{shortened(self.continued.stem)}"
        if self.between:
            return f"between-{side_by_side([path.stem for path in self.between])}"
        return f"remix-{shortened(self.remixed.stem)}" if self.remixed else ""

    @property
    def named(self) -> dict[str, object]:
        """Return the wishes as a user writes them; those of sections and bars aside."""
        songs = [path for path in (self.given, self.continued, self.remixed) if path]
        values = {
            "of": " and ".join(path.name for path in songs or self.between or ()),
            "keep": ",".join(self.keep),
            "fill": self.fill,
            "tracks": ",".join(self.tracks),
            "form": self.form,
            "section bars": self.section_bars,
            "pickup": self.pickup_beats,
            "meter": self.meter if self.meter == "any" else "",
        }
        return {name: value for name, value in values.items() if value}

    def draft(self, tracks: tuple[Track, ...], grid: Grid) -> Draft:
        """Read the songs and return the draft; `ConfigError` for wishes that exclude others.

        Tracks that are silent in the songs, and composed though nobody names them, are logged.
        """
        self._check()
        draft = self._drafted(tracks, grid)
        if draft.placed and not self.keep and not self.tracks:
            found = set(draft.notes.track.tolist())
            is_new = [n not in found and not bars.all() for n, bars in enumerate(draft.kept)]
            names = [track.name.lower() for track in draft.tracks]
            new = ", ".join(name for name, one in zip(names, is_new, strict=True) if one)
            known = [name for n, name in enumerate(names) if n in found]
            if new and known:
                said = f"{new} will be composed too, beside {', '.join(known)}"
                cure = f"--tracks {','.join(known)} composes no others"
                log_remarks(self._songs, [f"{said}: {cure}"])
        return draft

    @property
    def _songs(self) -> str:
        """Return the paths of the songs."""
        paths = [path for path in (self.given, self.continued, self.remixed) if path]
        return " and ".join(map(str, paths or self.between or ()))

    def _drafted(self, tracks: tuple[Track, ...], grid: Grid) -> Draft:
        read = partial(
            Source.read,
            tracks=tracks,
            grid=grid,
            pickup_beats=self.pickup_beats,
            meter=self.meter,
        )
        if self.given:
            return self._of_given(self.given, read(self.given))
        if self.continued:
            source = read(self.continued)
            return continuation(source, self.bars or ADDED_BARS).composing(self.tracks)
        if self.between:
            first, last = (read(path) for path in self.between)
            return bridge(first, last, self.bars or ADDED_BARS).composing(self.tracks)
        if self.remixed:
            source = read(self.remixed)
            draft = remix(source, self.form, self.section_bars or SECTION_BARS)
            return draft.composing(self.tracks)
        return blank(tracks, grid, self.bars or BARS, self.tracks)

    def _of_given(self, path: Path, source: Source) -> Draft:
        if self.keep:
            return self._accompaniment(path, source)
        found = re.fullmatch(r"\s*(\d+)\s*(?:[-\N{EN DASH}]\s*(\d+)\s*)?", self.fill)
        if not found:
            raise ConfigError(f"--fill {self.fill}: give the first and last bar, such as 5-8")
        first, last = int(found[1]), int(found[2] or found[1])
        return infill(source, first, last, self.tracks)

    def _accompaniment(self, path: Path, source: Source) -> Draft:
        draft = accompaniment(source, self.keep)
        tracks, kept = draft.tracks, ",".join(self.keep)
        found = {tracks[number].name.lower() for number in draft.notes.track.tolist()}
        only = f"the song has only {', '.join(sorted(found))}"
        if not len(draft.kept_notes):
            raise ConfigError(f"--keep {kept}: {only}")
        if silent := sorted({name.strip().lower() for name in self.keep} - found):
            log_remarks(path, [f"--keep: nothing stays of {', '.join(silent)}: {only}"])
        draft = accompaniment(source, self.keep, self.tracks)
        if draft.kept.all():
            raise ConfigError(
                f"--keep {kept} leaves nothing to compose: name fewer tracks that stay"
                + (", or other --tracks" if self.tracks else "")
            )
        return draft

    def _check(self) -> None:
        sources = [
            option
            for option, value in (
                ("--given", self.given),
                ("--continue", self.continued),
                ("--between", self.between),
                ("--remix", self.remixed),
            )
            if value
        ]
        for option, value in (("--pickup", self.pickup_beats), ("--meter", self.meter == "any")):
            if value and not sources:
                raise ConfigError(
                    f"{option} is for a song of yours: give --given song.mid with it"
                )
        if len(sources) > 1:
            raise ConfigError(f"{' and '.join(sources)} exclude each other: give one of them")
        if self.given and bool(self.keep) == bool(self.fill):
            raise ConfigError(
                "--given needs either --keep with the tracks that stay, such as piano,drums, or "
                "--fill with the bars to compose, such as 5-8"
            )
        if (self.keep or self.fill) and not self.given:
            raise ConfigError("--keep and --fill need the song: --given song.mid")
        if self.remixed and not self.form:
            raise ConfigError("--remix needs --form: a letter for each section, such as ABAC")
        if self.section_bars and not self.remixed:
            raise ConfigError("--section-bars is for --remix")
        if self.bars and (self.given or self.remixed):
            raise ConfigError("--bars is the song's own with --given and --remix: leave it out")
        if self.form and sources and not self.remixed:
            raise ConfigError(
                f"--form is for new songs and for --remix, not for {sources[0]}: leave it out"
            )


NEW_SONGS = Request()
