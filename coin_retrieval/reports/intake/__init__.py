"""What comes from hospital systems: resources, attached documents, identities to strike out."""
