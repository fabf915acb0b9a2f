"""What :mod:`coin_retrieval` offers in Python: archives to search, results that show themselves."""
