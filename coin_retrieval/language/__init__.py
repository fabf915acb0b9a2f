"""Whether a report's words are known, and what may have been meant by those that are not."""
