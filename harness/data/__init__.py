"""Pinned sources, suites, and what is made of them: splits, with their leaks and duplicates found."""
