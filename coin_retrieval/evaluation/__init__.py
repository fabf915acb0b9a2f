"""How good is it? Ranking and pictures, measured."""
