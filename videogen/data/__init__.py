"""Prepared collections of clips."""
