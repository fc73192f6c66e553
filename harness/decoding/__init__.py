"""Forward passes for many prompts at once: shared prefixes, batched decoding, sampling, timing."""
