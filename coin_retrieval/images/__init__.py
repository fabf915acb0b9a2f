"""Pictures from bytes: files, whole slides, DICOM instances, archives of many, and back."""
