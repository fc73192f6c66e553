"""A small task to learn, and what a model should still know and be fluent in afterwards."""
