"""A sentiment task to learn, and probes of knowledge and fluency before and after."""
