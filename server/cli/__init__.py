"""``coin-serve``: options in, a running server out."""
