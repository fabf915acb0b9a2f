"""From rows to vectors: pictures read, thumbnails made, embedded, skipped with a reason."""
