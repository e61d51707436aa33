"""Components of the rooms: the songbook, the place to drop files, curves, fields, messages."""
