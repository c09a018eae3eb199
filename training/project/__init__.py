"""The project on disk: pictures, labels with their history, predictions. Without Qt and without torch."""
