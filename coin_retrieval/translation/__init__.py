"""Pictures of one kind to pictures of another: histology that looks like cytology."""
