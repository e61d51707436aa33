"""Compositions from a request: a draft of what is kept, steering, the best of several, endings."""
