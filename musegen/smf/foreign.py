"""Other files under the names of songs, and their cures."""

import re

from core.data.sources import mistaken_for

EXPORT = "export it as a Standard MIDI File of type 1"

COPY = f"copy the file once more, or open it in a sequencer and {EXPORT}"
"""Cures of files that are no songs."""

SOUND = "a recording of sound, which has no notes: transcribe it to MIDI first"

FOREIGN = {
    re.compile(rb"RIFF.{4}WAVE|ID3|\xff[\xf2\xf3\xfa\xfb]|OggS|fLaC|.{4}ftyp", re.DOTALL): SOUND,
    re.compile(
        rb"Rar!|7z\xbc\xaf|BZh|\xfd7zXZ"
    ): "an archive: unpack it, and give the song itself",
    re.compile(
        rb"(?s:.{,200})<museScore|(\xef\xbb\xbf)?\s*(%[^\r\n]*[\r\n]\s*)*(X: ?\d+\s|\\version\b)"
    ): "a score of MuseScore, in ABC notation or of LilyPond: export it as MusicXML or MIDI",
    re.compile(
        rb"(<\?xml(?s:.{,400}))?<mei\b|\s*(!![^\r\n]*[\r\n]\s*)*\*\*kern|.FICHIER GUITAR PRO"
    ): "a score in MEI, in kern or of Guitar Pro: export it as MusicXML or MIDI",
    re.compile(rb"MUS\x1a|FORM.{4}X(DIR|MID)|CAKEWALK|HMI", re.DOTALL): (
        "in the format of a game or of one sequencer: convert it to MIDI"
    ),
    re.compile(
        rb"MMMD|BEGIN:IMELODY|[^:\r\n]{0,40}: ?[dob]=\d"
    ): "a ringtone of a phone: convert it to MIDI",
}
"""Beginnings of other files under the names of songs, and their cures."""


def why_foreign(data: bytes) -> str:
    """Say what a file is that has no MIDI header, and its cure."""
    others = (why for beginning, why in FOREIGN.items() if beginning.match(data))
    what = mistaken_for(data) or next(others, "")
    return f"it is {what}" if what else f"no MIDI header (MThd) at its beginning: {EXPORT}"
