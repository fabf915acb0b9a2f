"""What a manifest says that was measured of its archive."""
