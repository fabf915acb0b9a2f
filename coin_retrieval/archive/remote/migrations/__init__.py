"""What Alembic does to the tables of :mod:`coin_retrieval.archive.remote.versions`."""
