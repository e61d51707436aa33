"""Densities with an exact or bounded likelihood."""
