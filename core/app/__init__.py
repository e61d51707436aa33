"""What the commands of all domains share."""
