"""Prompts to synthetic pictures."""
