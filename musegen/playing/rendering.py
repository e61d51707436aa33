"""Rendering: a MIDI file played to a sound file."""

import logging
from pathlib import Path

from core.app.output import Output
from core.data.sources import RejectedFile
from core.errors import ConfigError, UserError
from core.wording import nearest
from musegen.files import audio
from musegen.files.midi import read_performance
from musegen.files.sound import Session
from musegen.playing.orchestra import Orchestra

LOG = logging.getLogger("pianoreel")


def write_rendering(
    song: Path, to: Path, orchestra: Orchestra | None = None, overwrite: bool = False
) -> Path:
    """Write a song's sound in the format of a file's ending; return its path.

    `ConfigError` for another ending, `UserError` for a song that cannot be read.
    """
    kind = to.suffix.lower().removeprefix(".")
    if not kind:
        raise ConfigError(
            f"'{to}' names no file: a sound is written to one, as --to {song.stem}.mp3"
        )
    if kind not in audio.FORMATS:
        raise ConfigError(
            f"sounds are not written as '{to.suffix}': {nearest(kind, audio.FORMATS)}"
        )
    try:
        performance = read_performance(song)
    except RejectedFile as error:
        raise UserError(f"{song}: {error.why}") from error
    for remark in performance.remarks:
        LOG.warning("%s: %s", song, remark)
    if orchestra:
        orchestra.require(performance.tracks)
    output = Output(to.parent, overwrite=overwrite)
    output.create()
    tags = {"title": performance.name, "artist": "pianoreel"}
    return output.write(to, audio.encode(Session(performance, orchestra).mix, kind, tags))
