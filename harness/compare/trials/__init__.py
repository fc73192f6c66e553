"""Stored trials as comparisons read them: grouped by strategy, selected, described by their steps."""
