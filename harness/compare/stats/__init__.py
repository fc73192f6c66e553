"""Intervals, paired tests and bootstrap over items, clusters and seeds."""
