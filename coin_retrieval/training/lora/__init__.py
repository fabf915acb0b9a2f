"""Adapt a generator to another laboratory with a few hundred pictures and their reports."""
