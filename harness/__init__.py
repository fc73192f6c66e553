"""Compares ways of customising a language model on the same tasks: from suite to verdict."""
