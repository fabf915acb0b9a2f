"""What an archive can be built from."""
