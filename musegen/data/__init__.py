"""Collections of songs: preparing them, the procedural band, batches of phrases."""
