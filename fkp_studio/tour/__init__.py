"""The loop of the documentation, played through on the demo with images and a report."""
