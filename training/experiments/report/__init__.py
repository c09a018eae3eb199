"""Figures, bootstrap intervals, and the page that an experiment writes."""
