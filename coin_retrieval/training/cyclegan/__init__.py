"""Train a CycleGAN on two folders of pictures of which none belong together."""
