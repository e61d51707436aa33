"""Networks that any domain can use."""
