"""News articles in one sentence: overlap with a journalist's, length, and what the article bears out."""
