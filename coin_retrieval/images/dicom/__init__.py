"""DICOM instances: what their headers say that an archive may know, and their pixels."""
