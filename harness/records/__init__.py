"""The types that are stored: trials, rows, run records and what was measured."""
