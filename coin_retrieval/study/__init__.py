"""Reader studies: blinded pictures, their readers and order, the answers, and what they say."""
