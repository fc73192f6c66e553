"""Whether fresh items differ from the test split, and whether scores do."""
