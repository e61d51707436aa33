"""Training: one step, the loop, run folders, checkpoints."""
