"""``coin evaluate``: options in, one evaluation, tables out."""
