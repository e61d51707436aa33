"""Graphs of music: what its models generate with, for other programs."""
