"""A comparison as text: for the terminal, Markdown, CSV and JSON. Nothing is computed here, and nothing printed."""
