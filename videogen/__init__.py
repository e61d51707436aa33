"""Video: x is a clip, `batch rgb time height width`."""
