"""Metrics, protocols, confidence and poses, in NumPy and in pixels of the original image."""
