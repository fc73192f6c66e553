"""A candidate against a baseline: gate, history, attribution, run-to-run noise."""
