"""Torch modules that no library has."""
