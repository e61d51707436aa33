"""Music files: MIDI, pianoroll archives, sound, pictures."""
