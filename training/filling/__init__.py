"""Missing points predicted given those that are labelled: what a network gets wrong in one point it gets wrong in others. NumPy only."""
