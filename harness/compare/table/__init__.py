"""The rows of a report's table and their findings, as typed results."""
