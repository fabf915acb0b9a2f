"""Synthetic pictures that stand for a query: drawn once, marked, kept."""
