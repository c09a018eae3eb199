"""Accepting predictions, confidence, and label offsets."""
