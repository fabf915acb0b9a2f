"""The starter's encoder: an image tower from ImageNet, and a text head on the sentence tower."""
