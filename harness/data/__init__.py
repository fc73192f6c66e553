"""Pinned sources, suites and their splits, with leaks and duplicates reported."""
