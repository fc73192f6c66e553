"""How foreign text and tables are shown, the same in every view."""
