"""A run measured on a split: errors, confidence, per head pose."""
