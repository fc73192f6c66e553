"""One file, one strategy: a step that customises a system, with its paper and its defaults."""
