"""CSV tables: their cells, what their columns mean, the labels in their rows."""
