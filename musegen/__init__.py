"""Music: x is a roll, `batch track state bar step pitch`."""
