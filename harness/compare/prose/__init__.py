"""Sentences made from typed results; nothing is computed here."""
