"""Exchange with other programs: graphs of a model, and folders of weights."""
