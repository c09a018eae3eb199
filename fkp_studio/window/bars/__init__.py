"""The top bar, the status bar and the menus."""
