"""Readers and writers of label files. Each reader turns a source into samples; coordinates are converted at this border."""
