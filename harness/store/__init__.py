"""Results on disk: written whole or not at all, read back, exported and kept as baselines."""
