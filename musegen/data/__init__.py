"""Prepared collections of songs."""
