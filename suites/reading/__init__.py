"""Yes/no questions on a given passage (BoolQ)."""
