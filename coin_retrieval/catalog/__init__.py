"""Records under the same ids."""
