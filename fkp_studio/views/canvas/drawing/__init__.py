"""What is drawn on the canvas: the image, its zoom, the overlays, the magnifier."""
