"""From source files to a prepared collection."""
