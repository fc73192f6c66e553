"""Gates, histories and noise as text, JSON and JUnit XML."""
