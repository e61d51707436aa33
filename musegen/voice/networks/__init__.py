"""The networks of notes."""
