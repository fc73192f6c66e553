"""A comparison as terminal text, Markdown, CSV and JSON."""
