"""The starter's generator: an autoencoder, its decoder's grain, a U-Net, and fewer steps for it."""
