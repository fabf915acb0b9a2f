"""Query → prototype → nearest real cases."""
