"""Files read without trust, written beside and renamed, and their errors in words."""
