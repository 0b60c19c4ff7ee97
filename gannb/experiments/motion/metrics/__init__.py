"""Scores of generated gestures."""
