"""What happened: who asked what kind of question, and saw which cases."""
