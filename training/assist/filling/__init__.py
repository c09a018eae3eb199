"""Missing points predicted given the labelled ones, and accepting predictions."""
