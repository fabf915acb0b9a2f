"""Training pictures: packed, drawn in proportion, varied as microscopes and stains vary them."""
