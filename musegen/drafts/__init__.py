"""Drafts: songs in progress, of which a model composes what is open."""
