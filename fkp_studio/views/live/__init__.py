"""A video or a camera with the points of its faces."""
