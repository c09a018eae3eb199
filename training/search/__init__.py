"""Random search of settings: Optuna keeps the trials, each trial is an ordinary run."""
