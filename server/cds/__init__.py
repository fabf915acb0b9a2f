"""CDS Hooks 2.0: cards in the health record's own window. https://cds-hooks.hl7.org/2.0/"""
