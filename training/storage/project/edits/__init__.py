"""Edits of a project, one file each; each is one step of the journal."""
