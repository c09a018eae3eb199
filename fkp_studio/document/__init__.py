"""The open project in the interface thread: store, edits with undo, changes, and where the user is."""
