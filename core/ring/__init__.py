"""The ring of eight Gaussians: the smallest domain."""
