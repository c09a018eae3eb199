"""Images: read, measured, cropped; faces detected in photos."""
