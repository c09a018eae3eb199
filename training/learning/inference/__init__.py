"""Trained networks as files and as functions from images to points."""
