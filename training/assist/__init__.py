"""What helps a person label: missing points, offsets."""
