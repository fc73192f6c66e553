"""Drift: differences of inputs, labels and scores between the test split and fresh items."""
