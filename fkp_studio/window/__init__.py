"""The main window: what it is made of, how it opens and closes, and which object performs an action."""
