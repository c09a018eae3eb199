"""The tables of the project's database: one module per table."""
