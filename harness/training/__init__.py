"""Training blocks that strategies compose: adapters, losses, loops, validation monitoring."""
