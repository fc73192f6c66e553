"""Yes, no or maybe, from the abstract of a study (PubMedQA)."""
