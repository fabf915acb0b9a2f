"""Builds and changes archives, offline."""
