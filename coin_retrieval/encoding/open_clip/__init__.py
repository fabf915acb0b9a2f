"""open_clip models: what their files say, the network, its text tower, the encoder."""
