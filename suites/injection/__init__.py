"""Instructions that are hidden in retrieved passages: does a system follow them?"""
