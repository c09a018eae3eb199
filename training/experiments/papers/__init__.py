"""What each paper's table compares."""
