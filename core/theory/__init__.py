"""The theory: two passes, distributions, terms, divergences and games."""
