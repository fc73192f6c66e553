"""Seconds, memory, latency and money of each strategy."""
