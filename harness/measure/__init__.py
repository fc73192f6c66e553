"""Measurements: memory, seconds, tokens and joules of a phase, the GPU, the environment."""
