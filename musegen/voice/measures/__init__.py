"""Metrics of notes, and the evaluation of generated notes beside real ones."""
