"""Manners: the shortest answer where the text has one, a refusal where it has none."""
