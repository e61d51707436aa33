"""The networks of phrases as cells: MuseGAN, and those that surround it."""
