"""timm models: their files, which tokens make an embedding, the encoder."""
