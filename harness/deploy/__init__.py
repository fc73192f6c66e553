"""Write a measured system as files that others load, with its model card."""
