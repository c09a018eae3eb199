"""Work off the interface thread: tasks in a pool, and the thread that writes the project."""
