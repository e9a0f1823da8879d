"""The first access manager of a practice."""
