"""Claims: looks up the status of a claim, for one of two purposes (RU-6)."""
