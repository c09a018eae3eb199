"""Import into a project and export from it."""
