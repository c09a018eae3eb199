"""Random search of settings: its space, its trials, its results."""
