"""Training: the loop, losses, optimisers, stages, and what a run saves."""
