"""A corpus that is small enough to stand in every prompt: long context against retrieval and tuning."""
