"""Sample sizes: which difference a suite can show, and how many items a given one needs."""
