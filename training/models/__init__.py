"""The models of the papers and their one registry."""
