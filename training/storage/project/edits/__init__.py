"""Edits of a project, one file each: `edit(project, ...) -> Edited`, one transaction and one step of the journal."""
