"""Head poses of a data set and balancing by pose."""
