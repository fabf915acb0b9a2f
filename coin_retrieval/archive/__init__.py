"""A published archive: its files, its manifest, its versions."""
