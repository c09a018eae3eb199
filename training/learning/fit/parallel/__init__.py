"""One training over several processes or machines."""
