"""Which strategy to choose under constraints, and how sure that is."""
