"""Reshapes the SQuAD sample into {id, question, answers, passage} and a corpus of {id, title, text}."""

from ..sources import paragraphs, squad

questions = squad

__all__ = ["paragraphs", "questions"]
