"""Escaped text, tables and JSON, the same in every report."""
