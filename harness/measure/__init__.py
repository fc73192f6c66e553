"""What a phase takes, and what it runs on."""
