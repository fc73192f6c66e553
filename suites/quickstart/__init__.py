"""The first suite: sentiment, question answering over a corpus, and general knowledge as a retention probe."""
