"""One training step: batches, losses, stages, optimiser."""
