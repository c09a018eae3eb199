"""The papers' tables, trained and measured anew: what is compared, how it is run, and what may be said of it."""
