"""A static page of results: songs that play with their rolls, clips, tables."""
