"""Augmentation of a batch of images with their points."""
