"""Notes to train on: rendered with a soundfont, or cut from recordings."""
