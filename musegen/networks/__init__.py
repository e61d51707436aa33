"""The networks of phrases: MuseGAN, and the note transformer."""
