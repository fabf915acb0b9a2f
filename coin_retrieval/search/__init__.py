"""A query becomes a plan, the plan is run, and the nearest real cases come out."""
