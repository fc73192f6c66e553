"""Find passages and exemplars: dense, BM25, hybrid, reranking, permissions."""
