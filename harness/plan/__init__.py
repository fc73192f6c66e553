"""From flags and strategy texts to planned trials, before any model loads."""
