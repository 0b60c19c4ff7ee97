"""What a person touches: controls, live view, players."""
