"""The commands of `fkp`, one module each: `add_arguments(parser)` and `run(args) -> exit code`."""
