"""COIN Retrieval: report text → synthetic prototype → nearest real cytology cases."""

__version__ = "0.1.0"
