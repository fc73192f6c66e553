"""One file, one step: the way that a method customises a system, its paper and its defaults."""
