"""Windows that open for one task, one package per feature."""
