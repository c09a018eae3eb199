"""One folder per training: its settings, its snapshot of the labels, its events, its model."""
