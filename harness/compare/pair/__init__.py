"""Two strategies side by side."""
