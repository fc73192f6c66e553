"""Retrieval of passages and exemplars: dense, BM25, hybrid, reranking, permissions."""
