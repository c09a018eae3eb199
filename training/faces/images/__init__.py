"""Images: read, measured, cropped; faces found in photos."""
