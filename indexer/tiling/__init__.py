"""Slides into tiles: where there is something, at one scale, sharp enough to be told apart."""
