"""Whether a clause of a privacy policy answers a question."""
