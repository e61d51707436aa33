"""Video files, manifests and pictures."""
