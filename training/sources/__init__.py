"""Other people's label files, in and out."""
