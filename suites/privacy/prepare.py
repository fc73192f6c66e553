"""Reshapes the SQuAD sample into {id, question, answers, passage} and a corpus; the harness plants the secrets."""

from ..sources import paragraphs, squad

questions = squad

__all__ = ["paragraphs", "questions"]
