"""Prompts as the exact text that is sent: rendering, templates, instructions, label priors."""
