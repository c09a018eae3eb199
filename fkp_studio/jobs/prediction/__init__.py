"""Predictions in the background: what calls for them, the worker, fill models, the sheet of augmented faces."""
