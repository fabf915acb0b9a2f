"""Which words of a report are searched: what it affirms of this patient's cells."""
