"""Pictures and texts to points of one space."""
