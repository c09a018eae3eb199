"""Faces in videos and cameras: reading, tracking, live prediction."""
