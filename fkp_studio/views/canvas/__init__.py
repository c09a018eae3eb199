"""One face with its points, to look at and to edit."""
