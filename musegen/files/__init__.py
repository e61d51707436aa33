"""Music files: MIDI, pianoroll archives, sound, pictures."""

LIBRARIES = ("symusic", "pretty_midi", "pypianoroll")
"""The packages that read and write them, whose versions `pianoreel doctor` lists."""
