"""Metrics of music, and the evaluation of generated songs against real ones."""
