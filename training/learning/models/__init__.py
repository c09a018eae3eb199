"""The networks, one file each, and the registry that makes them by name."""
