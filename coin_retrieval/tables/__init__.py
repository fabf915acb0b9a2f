"""Tables as people have them: rows of any common file, and the cases that they name."""
