"""What a clinician wrote → Report."""
