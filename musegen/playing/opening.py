"""The voices that a user names: runs, soundfonts, and folders of samples."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from core.errors import ConfigError, UserError
from musegen.files.programs import program_of
from musegen.playing.orchestra import ALL
from musegen.playing.program import Program
from musegen.playing.sf2 import Soundfont
from musegen.playing.sfz import read_sfz
from musegen.playing.voice import Voice

OpenRun = Callable[[str, int], Voice]
"""Open a run with the timbre of a seed."""


def open_voices(texts: Iterable[str], open_run: OpenRun) -> dict[str, Voice]:
    """Open the voices of texts such as RUN or bass=RUN, by the names of tracks in small letters.

    One without a track is for all melodic tracks that have none of their own.
    """
    voices: dict[str, Voice] = {}
    for text in texts:
        track, equals, source = text.rpartition("=")
        name = track.strip().lower()
        if (equals and not name) or not source.strip():
            raise ConfigError(f"'{text}' names no voice: --voice RUN or --voice bass=RUN")
        if name in voices:
            raise ConfigError(f"--voice is given twice for {name or 'all tracks'}: give it once")
        voices[name if equals else ALL] = open_voice(source.strip(), open_run)
    return voices


def open_voice(text: str, open_run: OpenRun) -> Voice:
    """Open FILE.sf2, FILE.sf2:PROGRAM, FILE.sfz, the folder of one, RUN or RUN:SEED."""
    found = re.fullmatch(r"(.+?)(?::([^:/\\]+))?", text)
    assert found
    path, number = Path(found[1]).expanduser(), found[2] or ""
    if path.suffix.lower() in (".sf2", ".sf3"):
        return _program(path, number)
    if path.suffix.lower() == ".sfz" or (path.is_dir() and any(path.glob("*.sfz"))):
        return Program(read_sfz(path))
    if not number.isdecimal() and number:
        raise ConfigError(f"'{number}' is no seed of a voice: --voice {path}:3, for example")
    return open_run(found[1], int(number or 0))


def _program(path: Path, number: str) -> Voice:
    instrument = Soundfont(path).instrument(program_of(number) if number else 0)
    if instrument is None or not instrument.regions:
        raise UserError(f"{path} has no instruments but drums: give another .sf2")
    return Program(instrument)
