"""Schema, labels, samples, splits."""
