"""One face as the window draws it: points, rings, marks, image, thumbnail."""
