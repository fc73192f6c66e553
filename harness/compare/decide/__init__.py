"""Decisions: the strategy to choose under constraints, with its confidence."""
