"""Run one trial in its own process: adapt, predict, score, record."""
