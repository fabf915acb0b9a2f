"""Drawing: one report, a set of them, a picture that is made for a search; what is kept of it."""
