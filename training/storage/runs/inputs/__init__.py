"""What a run trains on, read from its snapshot."""
