"""Preparation of data: source files, child processes, shards, splits."""
