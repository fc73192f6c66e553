"""Ways to run the planned trials."""
