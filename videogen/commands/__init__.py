"""The commands of video: their options, and the group that has them."""
