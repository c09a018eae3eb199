"""Everything in FKP Studio that works without a window: data, projects, models, training, the command line."""

__version__ = "1.0.0"
