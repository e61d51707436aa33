"""Metrics and evaluation of video."""
