"""The theory: two passes through four networks. Knows nothing of music or video."""
