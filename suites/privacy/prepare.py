"""Reshapes the SQuAD sample into {id, question, answers, passage} and a corpus; the secrets are planted by the harness."""

from suites.sources import paragraphs, squad

questions = squad

__all__ = ["paragraphs", "questions"]
