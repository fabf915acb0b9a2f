"""Ranges that options are checked against before anything loads."""

MAX_SEED = 2**53
"""A JSON reader that keeps numbers as doubles keeps seeds up to here exactly."""
