"""The papers' experiments and their evaluation protocols."""
