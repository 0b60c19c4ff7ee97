"""Players and controls for generated gestures."""
