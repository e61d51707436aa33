"""Metrics and evaluation of clips."""
