"""The whole comparison of a suite, with examples and provenance."""
