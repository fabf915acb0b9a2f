"""What a version of an archive is made of, and what is measured of it."""
