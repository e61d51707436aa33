"""Video files, manifests of clips with captions, and pictures of clips."""

LIBRARIES = ("av",)
"""Distributions that read and write them, whose versions `pianoreel doctor` lists."""
