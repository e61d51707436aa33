"""The commands of music: their options, and the group that has them."""
