"""The papers' tables, trained and measured again: what is compared, how it runs, what may be concluded."""
