"""The theory: two passes through four networks. Knows no domain."""
