"""The table of one face's points."""
