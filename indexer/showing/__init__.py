"""What the commands of coin-index print."""
