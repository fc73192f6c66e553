"""From a prompt's parts to the exact text that is sent: layouts, templates, instructions, label priors."""
