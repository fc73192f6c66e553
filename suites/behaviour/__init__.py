"""Short answers where the text has the answer, and refusals where it has none."""
