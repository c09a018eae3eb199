"""The contact sheet: many faces at once."""
