"""Ask a system and read its answers."""
