"""The same questions before and after facts change: re-indexing or retraining."""
