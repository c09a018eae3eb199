"""What goes on behind the window: trainings, predictions, searches, experiments, each in a child process."""
