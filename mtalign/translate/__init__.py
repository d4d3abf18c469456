"""Translation: the engine protocol, engines, limits, reranking, and documents with their layout kept."""
