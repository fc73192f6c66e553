"""A small task to learn, and how much a model prefers stereotypes before and after."""
