"""Systematic offsets between labels and images, and between a model and one annotator."""
