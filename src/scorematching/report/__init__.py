"""Numbers and pictures for people to read."""
