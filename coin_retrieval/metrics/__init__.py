"""Figures of rankings and of feature clouds, and how sure they are. Pure functions."""
