"""What was found, and how far it can be leant on."""
