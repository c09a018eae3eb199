"""A run's settings, the recipes, and the space that a search draws from."""
