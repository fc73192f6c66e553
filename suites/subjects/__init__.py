"""Routing with many labels: the subject of a question, one of 57 (MMLU)."""
