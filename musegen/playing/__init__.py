"""Playing: songs and keyboards in a voice, which is any source of the sound of single notes."""
