"""Memorisation of made-up secrets in training items and in passages."""
