"""Densities over notes: exact likelihoods, autoregressive from note to note."""
