"""Train the starter's models, or your own: captions, autoencoder, diffusion, encoder."""
