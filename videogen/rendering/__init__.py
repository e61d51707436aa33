"""From clips to what an artist keeps: sizes, loops, films with music, and their files."""
