"""What was found, for people and for programs: the same words wherever it shows."""
