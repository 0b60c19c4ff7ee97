"""Figures of generated gestures."""
