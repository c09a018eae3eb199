"""The project on disk: one SQLite database, memory-mapped pixels, runs. No torch, no Qt."""
