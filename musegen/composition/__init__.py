"""Songs from a model: its sampler, requests with a user's songs, the best of several, endings."""
