"""Readers of label files. Each turns a source into samples; coordinates are converted at this border."""
