"""Music files: MIDI, pianoroll archives, sound, pictures."""

LIBRARIES = ("pretty_midi", "pypianoroll")
"""The packages that read and write them, whose versions `pianoreel doctor` lists."""
