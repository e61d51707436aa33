"""The rooms of the page: songs, clips, the user's files, training, runs, models."""
