"""Recordings of speech and motion: readers, synthetic gestures, clips, splits."""
