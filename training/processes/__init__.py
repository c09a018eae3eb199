"""Child processes that outlive their parent, locks between processes, and the files that others append to."""
