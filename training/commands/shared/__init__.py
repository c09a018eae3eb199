"""What several commands use: output, progress, finding a run, following a child process."""
