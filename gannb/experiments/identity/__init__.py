"""Removing pose from face features while keeping identity."""
