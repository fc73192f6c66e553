"""Which of 57 subjects a question is about: routing with many labels."""
