"""Networks of rolls and notes."""
