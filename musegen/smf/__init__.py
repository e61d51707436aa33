"""Standard MIDI Files: their bytes, their events, and those that are written."""
