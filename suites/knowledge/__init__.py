"""Question answering over the whole SQuAD sample: retrieval, tuning, and both together."""
