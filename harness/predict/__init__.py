"""Predictions of a system, and their rows."""
