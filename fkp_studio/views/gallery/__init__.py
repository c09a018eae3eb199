"""All faces as a grid of thumbnails, with filters and sorting."""
