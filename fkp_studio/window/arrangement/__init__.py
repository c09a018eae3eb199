"""Docks, the four workspaces, and the panels that are built after the first face is shown."""
