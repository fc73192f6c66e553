"""Forecasts of a trial: memory by parts, seconds by phase, and the GPUs that hold it."""
