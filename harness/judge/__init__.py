"""Stored answers judged by a model, controls that the judge must pass, and people's labels that check it."""
