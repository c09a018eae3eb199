"""What a saved state must be before anything of it is used."""
