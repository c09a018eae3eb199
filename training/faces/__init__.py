"""What a labelled face is."""
