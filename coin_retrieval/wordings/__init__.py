"""Reports with known labels: composed, held out, or a user's own."""
