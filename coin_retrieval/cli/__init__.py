"""The command line ``coin``."""
