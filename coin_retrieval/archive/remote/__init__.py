"""An archive on servers: its versions in PostgreSQL, its thumbnails and pictures behind fsspec."""
