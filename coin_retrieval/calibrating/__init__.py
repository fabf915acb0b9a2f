"""Which way of searching is best on an archive, measured on labelled reports and kept."""
