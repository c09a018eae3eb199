"""The guided walk through missing points."""
