"""Yes or no, from a passage that is given."""
