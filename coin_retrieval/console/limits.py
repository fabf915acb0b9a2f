"""Ranges that options are checked against before anything loads."""

MAX_SEED = 2**32 - 1
"""Every random generator in use takes seeds up to here, with room for seed + i."""
