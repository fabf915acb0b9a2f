"""Vectors under stable ids."""
