"""What a trial will take, before it runs: memory by parts and seconds by phase, and which GPU holds it."""
