"""News summaries of one sentence: overlap with a journalist's, length, and support by the article."""
