"""The training panel and the table of runs."""
