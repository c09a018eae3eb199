"""The project on disk: images, labels with their journal, predictions."""
